// Classes of the platform. Test environments replace these globals by those of a browser, or leave them out.

interface Classes {
  Blob: Blob;
  FormData: FormData;
  ReadableStream: ReadableStream;
  Request: Request;
  URLSearchParams: URLSearchParams;
}

/** Whether a value is of a class of the platform, whose name every implementation of it carries. */
export function isOfClass<Name extends keyof Classes>(value: unknown, name: Name): value is Classes[Name] {
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return tag === name || (tag === 'File' && name === 'Blob');
}
