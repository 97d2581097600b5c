//! The files of upstream responses: stored for a limited time, and served by signed URLs.
//!
//! A file streams into an object store: a folder or an S3 bucket. It is visible once it is complete. Until
//! then it has another name, or consists of parts of an upload that are no object yet. Its expiry is in its
//! name, so the sweep needs no list of files.

mod bucket;
mod range;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutPayload,
};
use proxy_execute_protocol::{Advice, BinaryData, ByteStream, Download, Error, ErrorKind, Result};
use proxy_execute_store::Clock;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::range::Selected;
use crate::clock::rfc3339;
use crate::file_url::{FileName, UrlKeys, UserMarks, expiry_of, mark_of};
use crate::id;
use crate::stream::Bounds;
use crate::vault::{self, Vault};

/// The bytes written to a bucket at once, held in memory: the smallest part of an upload that S3 accepts.
const PART: usize = 5 * 1024 * 1024;

/// The bytes read or written at once in a folder.
const CHUNK: usize = 256 * 1024;

/// The time between two sweeps of expired files.
const SWEEP: Duration = Duration::from_secs(60);

/// The prefix of a temporary folder's name. An underscore and an id follow.
const TEMPORARY: &str = "proxy-execute-files";

const DEFAULT_EXPIRES_IN_MS: u64 = 60 * 60 * 1000;
const DEFAULT_MAX_BYTES: u64 = 5 * 1024 * 1024 * 1024;
const DEFAULT_MAX_OPEN: u32 = 100;

/// Where files are stored, and for how long. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesOptions {
    /// A folder, created if it does not exist. Default: one beside the store, or a temporary one.
    pub folder: Option<String>,
    /// A bucket, instead of a folder.
    pub s3: Option<S3Options>,
    /// How long a file exists, counted from the start of the response. Default: an hour.
    pub expires_in_ms: Option<u64>,
    /// Upper limit for a file, after decompression, in bytes. Default: 5 GiB.
    pub max_bytes: Option<u64>,
    /// Upper limit for the files that are written and read at once. Default: 100.
    pub max_open: Option<u32>,
    /// 32 bytes each, in hexadecimal or base64. The first key signs URLs, all of them verify URLs. Default:
    /// keys that are derived from the encryption keys.
    pub signing_keys: Vec<SecretString>,
}

/// A bucket of a service that speaks S3.
///
/// Missing options are read from the variables of the AWS tools (`AWS_ACCESS_KEY_ID` …), or come from the
/// machine's role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Options {
    /// The bucket's name.
    pub bucket: String,
    /// The prefix of the names of objects.
    pub prefix: Option<String>,
    /// Its region. Default: `us-east-1`.
    pub region: Option<String>,
    /// The service's URL, if it is not AWS.
    pub endpoint: Option<String>,
    /// The id of an access key.
    pub access_key_id: Option<String>,
    /// The access key.
    pub secret_access_key: Option<SecretString>,
}

/// The files of a gateway.
#[derive(Debug)]
pub struct Files {
    place: Storage,
    store: OnceCell<Arc<dyn ObjectStore>>,
    keys: UrlKeys,
    marks: UserMarks,
    expires_in: Duration,
    max_bytes: u64,
    open: Arc<Semaphore>,
    max_open: u32,
    clock: Clock,
}

/// The place where the bytes are stored.
#[derive(Debug)]
enum Storage {
    Folder(PathBuf),
    /// The folder of a gateway in memory. `close` removes it.
    TemporaryFolder(PathBuf),
    Bucket(Arc<dyn ObjectStore>),
}

/// An open file, or a part of one.
#[derive(Debug)]
pub struct OpenFile {
    /// Its media type.
    pub content_type: String,
    /// Its strong entity tag. A file never changes, so its name serves as the tag.
    pub etag: String,
    /// The size of the whole file, in bytes.
    pub size: u64,
    /// The range of bytes in `body`, if it is only a part.
    pub part: Option<std::ops::Range<u64>>,
    /// The bytes of the file, or of the part.
    pub body: ByteStream,
}

/// A request for a part of a file.
#[derive(Debug, Clone, Copy)]
pub struct PartRequest<'a> {
    /// The `Range` header.
    pub range: &'a str,
    /// The `If-Range` header: the reader wants the part only of this version, and otherwise the whole file.
    pub if_range: Option<&'a str>,
}

/// The file has no byte of the requested range. The number is the file's size.
#[derive(Debug)]
pub struct NoSuchRange(pub u64);

impl Files {
    /// Reads the options. It creates no folder before the first file, unless the operator has named one.
    ///
    /// # Errors
    /// `InvalidOption` that names the option, and `StoreUnavailable`.
    pub(crate) async fn open(
        options: FilesOptions,
        store: Option<&Path>,
        vault: &Vault,
        clock: Clock,
    ) -> Result<Self> {
        let named = options.folder.is_some();
        // The path is made absolute, because the process may change its directory.
        let folder = |path: PathBuf| Storage::Folder(std::path::absolute(&path).unwrap_or(path));
        let place = match (options.folder, options.s3) {
            (Some(_), Some(_)) => return Err(invalid("files", "name `folder` or `s3`, not both")),
            (_, Some(s3)) => Storage::Bucket(bucket::open(s3)?),
            (Some(path), None) if path.is_empty() => return Err(invalid("files.folder", "is empty")),
            (Some(path), None) => folder(path.into()),
            (None, None) => match store {
                Some(store) => folder(beside(store)),
                None => Storage::TemporaryFolder(std::env::temp_dir().join(id::random(TEMPORARY))),
            },
        };
        let at_least_one = |value: Option<u64>, default: u64, name: &str| match value {
            Some(0) => Err(invalid(name, "must be at least 1")),
            value => Ok(value.unwrap_or(default)),
        };
        let keys = if options.signing_keys.is_empty() {
            let keys = vault.derive_keys(b"signs the URLs of files");
            UrlKeys::new(keys.iter().map(|key| key.as_slice()))
        } else {
            let keys = vault::key_bytes(&options.signing_keys, "files.signingKeys")?;
            UrlKeys::new(keys.iter().map(|key| key.as_slice()))
        };
        let marks = vault.derive_keys(b"marks the files of users");
        let marks = UserMarks::new(marks.iter().map(|key| key.as_slice()));
        let max_open = options.max_open.unwrap_or(DEFAULT_MAX_OPEN);
        at_least_one(Some(max_open.into()), 1, "files.maxOpen")?;
        let expires_in = at_least_one(options.expires_in_ms, DEFAULT_EXPIRES_IN_MS, "files.expiresIn")?;
        let max_bytes = at_least_one(options.max_bytes, DEFAULT_MAX_BYTES, "files.maxBytes")?;
        let store = match &place {
            Storage::Folder(folder) if named => Some(in_folder(folder).map_err(|cause| {
                let message = format!("files.folder: {} cannot be used: {cause}.", folder.display());
                Error::new(ErrorKind::StoreUnavailable, message)
                    .about("files.folder")
                    .fix("Name a folder that the gateway may write to, or that it may create.")
            })?),
            _ => None,
        };
        Ok(Self {
            place,
            store: OnceCell::new_with(store),
            keys,
            marks,
            expires_in: Duration::from_millis(expires_in),
            max_bytes,
            open: Arc::new(Semaphore::new(max_open as usize)),
            max_open,
            clock,
        })
    }

    /// Stores a body as a file of a user, and returns its URL below `base`. After an error, the partial file is
    /// removed; it was never visible.
    ///
    /// # Errors
    /// The body's own, `UpstreamTooLarge`, `TooManyFiles`, `FileStoreFailed`.
    pub async fn keep(
        &self,
        body: ByteStream,
        content_type: &str,
        base: &str,
        user_id: Option<&str>,
    ) -> Result<BinaryData> {
        let _permit = self.permit()?;
        let expires_at =
            self.clock.now().saturating_add(i64::try_from(self.expires_in.as_millis()).unwrap_or(i64::MAX));
        let name =
            FileName::expiring_at(expires_at, user_id.and_then(|id| self.marks.of(id).next()).as_deref());
        let size = match &self.place {
            Storage::Folder(folder) | Storage::TemporaryFolder(folder) => {
                self.write_to_folder(folder, body, name.as_str()).await?
            }
            Storage::Bucket(store) => self.write_to_bucket(store.as_ref(), body, name.as_str()).await?,
        };
        Ok(BinaryData {
            url: self.keys.sign(base, &name, content_type),
            content_type: content_type.to_owned(),
            size,
            expires_at: rfc3339(expires_at),
        })
    }

    /// Writes a file without the object store, which would create it with the permissions of the folder and
    /// the umask.
    async fn write_to_folder(&self, folder: &Path, mut body: ByteStream, name: &str) -> Result<u64> {
        let unfinished = UnfinishedFile(folder.join(format!("{name}#")));
        let file = create_private(folder, &unfinished.0).await.map_err(failed)?;
        let mut file = BufWriter::with_capacity(CHUNK, file);
        let mut size = 0;
        while let Some(chunk) = body.try_next().await? {
            size += chunk.len() as u64;
            if size > self.max_bytes {
                return Err(self.too_large());
            }
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        tokio::fs::rename(&unfinished.0, folder.join(name)).await.map_err(failed)?;
        Ok(size)
    }

    async fn write_to_bucket(
        &self,
        store: &dyn ObjectStore,
        mut body: ByteStream,
        name: &str,
    ) -> Result<u64> {
        let path = &object_store::path::Path::from(name);
        let (mut size, mut waiting) = (0, 0);
        let mut part: Vec<Bytes> = Vec::new();
        let mut upload = UnfinishedUpload(None);
        while let Some(chunk) = body.try_next().await? {
            size += chunk.len() as u64;
            if size > self.max_bytes {
                return Err(self.too_large());
            }
            waiting += chunk.len();
            part.push(chunk);
            if waiting >= PART {
                let upload = match &mut upload.0 {
                    Some(upload) => upload,
                    none => none.insert(store.put_multipart(path).await.map_err(failed)?),
                };
                upload.put_part(PutPayload::from_iter(part.drain(..))).await.map_err(failed)?;
                waiting = 0;
            }
        }
        let rest = PutPayload::from_iter(part);
        match &mut upload.0 {
            None => _ = store.put(path, rest).await.map_err(failed)?,
            Some(upload) => {
                if waiting > 0 {
                    upload.put_part(rest).await.map_err(failed)?;
                }
                upload.complete().await.map_err(failed)?;
            }
        }
        upload.0 = None;
        Ok(size)
    }

    /// Opens the file of a URL from [`Files::keep`], or the requested part of the file.
    ///
    /// # Errors
    /// `FileUrlRefused`, `FileNotFound`, `TooManyFiles` and `FileStoreFailed`.
    pub async fn read(
        &self,
        url: &Url,
        part: Option<PartRequest<'_>>,
    ) -> Result<Result<OpenFile, NoSuchRange>> {
        let (name, content_type) = self.keys.verify(url, self.clock.now())?;
        let permit = self.permit()?;
        let store = self.store().await?;
        let path = object_store::path::Path::from(name.as_str());
        let etag = format!("\"{}\"", name.as_str());
        // A weak tag or a date never matches, because the gateway issues neither (RFC 9110 §13.1.5).
        let wanted = part.filter(|part| part.if_range.is_none_or(|validator| validator == etag));
        let part = match wanted {
            None => None,
            Some(PartRequest { range, .. }) => {
                let size = store.head(&path).await.map_err(not_there)?.size;
                match range::select(range, size) {
                    Selected::Whole => None,
                    Selected::Part(part) => Some(part),
                    Selected::Nothing => return Ok(Err(NoSuchRange(size))),
                }
            }
        };
        let options = GetOptions { range: part.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let found = store.get_opts(&path, options).await.map_err(not_there)?;
        let size = found.meta.size;
        Ok(Ok(OpenFile { content_type, etag, size, part, body: bytes_of(found, permit).await? }))
    }

    /// Opens the whole file of a URL, for a reader in this process.
    pub async fn download(&self, url: &str) -> Result<Download> {
        let url = Url::parse(url)
            .map_err(|_| Error::of_field(ErrorKind::InvalidRequest, "url", "The file's URL is not a URL."))?;
        let file = self.read(&url, None).await?.map_err(|_| not_all_there())?;
        Ok(Download { content_type: file.content_type, size: Some(file.size), body: file.body })
    }

    /// Removes the complete files of a user. Returns how many.
    ///
    /// # Errors
    /// `FileStoreFailed`.
    pub(crate) async fn delete_of_user(&self, user_id: &str) -> Result<u64> {
        // A folder does not exist before the first file.
        if let Storage::Folder(folder) | Storage::TemporaryFolder(folder) = &self.place
            && !tokio::fs::try_exists(folder).await.map_err(failed)?
        {
            return Ok(0);
        }
        let marks: Vec<_> = self.marks.of(user_id).collect();
        let store = self.store().await?;
        let files = store.list(None).try_filter_map(move |object| {
            let name = object.location.filename().unwrap_or_default();
            let is_of_user = mark_of(name).is_some_and(|mark| marks.iter().any(|known| known == mark));
            std::future::ready(Ok(Some(object.location).filter(|_| is_of_user)))
        });
        // A file that has expired meanwhile is gone.
        let deleted = store.delete_stream(files.boxed()).filter_map(|deleted| async move {
            match deleted {
                Err(object_store::Error::NotFound { .. }) => None,
                deleted => Some(deleted),
            }
        });
        deleted.try_fold(0, |count, _| async move { Ok(count + 1) }).await.map_err(failed)
    }

    /// Removes expired files, complete or partial, and returns the time until the next sweep.
    async fn sweep(&self) -> Duration {
        let at = self.clock.now();
        match &self.place {
            Storage::Folder(folder) => sweep_folder(folder, at).await,
            // The sweep includes the folders of gateways that could not remove theirs.
            Storage::TemporaryFolder(_) => {
                for folder in temporary_folders().await {
                    sweep_folder(&folder, at).await;
                    // This call removes only an empty folder.
                    _ = tokio::fs::remove_dir(&folder).await;
                }
            }
            Storage::Bucket(store) => {
                let expired = store.list(None).try_filter_map(move |object| {
                    let expired = Some(object.location)
                        .filter(|path| is_expired(path.filename().unwrap_or_default(), at));
                    std::future::ready(Ok(expired))
                });
                if let Err(error) = store.delete_stream(expired.boxed()).try_collect::<Vec<_>>().await {
                    tracing::warn!(%error, "expired files could not be removed from the bucket");
                }
            }
        }
        SWEEP.min(self.expires_in)
    }

    /// Removes a temporary folder.
    pub(crate) async fn close(&self) {
        if let Storage::TemporaryFolder(folder) = &self.place {
            // The folder does not exist if the gateway stored no file.
            _ = tokio::fs::remove_dir_all(folder).await;
        }
    }

    async fn store(&self) -> Result<&Arc<dyn ObjectStore>> {
        self.store
            .get_or_try_init(|| async {
                match &self.place {
                    Storage::Folder(folder) | Storage::TemporaryFolder(folder) => {
                        in_folder(folder).map_err(failed)
                    }
                    Storage::Bucket(store) => Ok(Arc::clone(store)),
                }
            })
            .await
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.open).try_acquire_owned().map_err(|_| {
            Error::new(
                ErrorKind::TooManyFiles,
                format!("{} files are being written and read, the limit at once.", self.max_open),
            )
            .fix("Handle fewer files at a time, or let the operator raise `files.maxOpen`.")
            .advise(Advice::RaiseOption("files.maxOpen"))
        })
    }

    fn too_large(&self) -> Error {
        let most = self.max_bytes;
        Error::new(
            ErrorKind::UpstreamTooLarge,
            format!("The file in the API's response is larger than {most} bytes, the limit of this gateway."),
        )
        .fix("Read it with `responseType: 'stream'`, or let the operator raise `files.maxBytes`.")
        .advise(Advice::RaiseOption("files.maxBytes"))
    }
}

/// Removes expired files, until the gateway closes.
pub(crate) async fn sweep(files: Arc<Files>, closing: CancellationToken) {
    loop {
        let every = files.sweep().await;
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// The path of a file that is being written. When it is dropped, a partial file is removed.
struct UnfinishedFile(PathBuf);

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        // A complete file was renamed, so no file has this path.
        _ = std::fs::remove_file(&self.0);
    }
}

/// An upload to a bucket. If it is dropped before it is complete, its parts are removed.
struct UnfinishedUpload(Option<Box<dyn MultipartUpload>>);

impl Drop for UnfinishedUpload {
    fn drop(&mut self) {
        if let Some(mut upload) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // If the abort fails, a lifecycle rule of the bucket has to remove the parts.
            runtime.spawn(async move { _ = upload.abort().await });
        }
    }
}

/// Returns the bytes of a file. The stream holds the permit until it is dropped.
async fn bytes_of(found: GetResult, permit: OwnedSemaphorePermit) -> Result<ByteStream> {
    let range = found.range.clone();
    let size = range.end - range.start;
    let bytes = match found.payload {
        GetResultPayload::File(file, _) => {
            let mut file = tokio::fs::File::from_std(file);
            file.seek(std::io::SeekFrom::Start(range.start)).await.map_err(failed)?;
            ReaderStream::with_capacity(file.take(size), CHUNK).map_err(failed).boxed()
        }
        GetResultPayload::Stream(bytes) => bytes.map_err(failed).boxed(),
    };
    let bytes = bytes.inspect(move |_| _ = &permit);
    let whole = Bounds {
        pause: Duration::from_secs(60),
        stalled: not_all_there(),
        size: Some((size, not_all_there())),
        most: None,
    };
    Ok(whole.hold(ByteStream::new(bytes)))
}

/// The files of `gateway.db` are in `gateway.db.files`.
fn beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".files");
    name.into()
}

/// Creates a folder that only this operating-system user can access. An existing folder keeps its
/// permissions.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    // The files contain data of the users.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a file that only this operating-system user can read, from its first byte on and in any folder.
async fn create_private(folder: &Path, path: &Path) -> io::Result<tokio::fs::File> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    loop {
        match options.open(path).await {
            // The file is the first one, or a sweep has removed the empty folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(folder)?,
            result => return result,
        }
    }
}

fn in_folder(folder: &Path) -> io::Result<Arc<dyn ObjectStore>> {
    make_folder(folder)?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(io::Error::other)?))
}

async fn temporary_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(mut entries) = tokio::fs::read_dir(std::env::temp_dir()).await {
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            // The underscore excludes folders of other programs whose names begin alike.
            if name.to_string_lossy().strip_prefix(TEMPORARY).is_some_and(|id| id.starts_with('_')) {
                folders.push(entry.path());
            }
        }
    }
    folders
}

/// Removes the expired files of a folder. It reads the folder itself, because an object store does not list
/// partial files.
async fn sweep_folder(folder: &Path, at: i64) {
    // The folder does not exist before the first file.
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if is_expired(&entry.file_name().to_string_lossy(), at)
            && let Err(error) = tokio::fs::remove_file(entry.path()).await
        {
            tracing::warn!(%error, file = %entry.path().display(), "an expired file could not be removed");
        }
    }
}

fn is_expired(name: &str, at: i64) -> bool {
    expiry_of(name).is_some_and(|expires_at| expires_at <= at)
}

fn invalid(option: &str, problem: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("{option}: {problem}.")).about(option)
}

/// Logs the cause instead of returning it: it may name folders and hosts of the operator.
fn failed(cause: impl std::error::Error) -> Error {
    tracing::error!(%cause, "the store of files failed");
    Error::new(ErrorKind::FileStoreFailed, "The gateway could not write or read the file.")
        .fix("The gateway's log has the cause: a full disk, a folder or bucket that it may not write to.")
}

fn not_there(error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => {
            Error::new(ErrorKind::FileNotFound, "The file no longer exists.")
                .fix("Make the call that returned the file again.")
        }
        error => failed(error),
    }
}

fn not_all_there() -> Error {
    Error::new(ErrorKind::FileStoreFailed, "The file could not be read to its end.").fix("Download it again.")
}
