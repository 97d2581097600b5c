// The auth schemes that `connect` chooses by itself. Any other scheme is named, and the gateway tells its fields.

/** The schemes with a credential that a user has, in the order of preference. */
export const ENTERED = ['API_KEY', 'BEARER_TOKEN', 'BASIC'];

/** The scheme with a consent in a browser, to an OAuth client that the operator has registered. */
export const CONSENT = 'OAUTH2';
