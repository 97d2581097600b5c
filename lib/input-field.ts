// A field of a credential or an auth config, as a form shows it.

/** A field to fill in. */
export interface ToolkitInputField {
  /** Its name in a credential's `val`. */
  name: string;
  /** The display name. */
  displayName: string;
  /** Its description. */
  description: string;
  /** The kind of its value, such as `string`. */
  type: string;
  /** Whether it is required. */
  required: boolean;
  /** Its default value. */
  default?: string | null;
  /** Whether it is a secret; absent if the backend does not say. */
  isSecret?: boolean;
}

/** A field to fill in, as it travels. */
export interface WireField {
  name: string;
  displayName: string;
  description: string;
  type: string;
  required: boolean;
  default?: string | null;
  is_secret?: boolean;
}

/** The field under the names of JavaScript. */
export function toField({ is_secret, ...field }: WireField): ToolkitInputField {
  const { name, displayName, description, type, required, default: standard } = field;
  return { name, displayName, description, type, required, default: standard, isSecret: is_secret };
}
