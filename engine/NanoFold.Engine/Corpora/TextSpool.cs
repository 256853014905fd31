using Microsoft.Win32.SafeHandles;
using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Text that was made of files which are not text as they are (compressed, UTF-16, records) or can be read only once (pipes). It is held in memory up to
/// <see cref="MemoryBytes"/>, and from there on in a file of the cache's folder that has no name, so that it is gone when the process ends, however that ends.
/// </summary>
internal sealed class TextSpool(string name, int memoryBytes = TextSpool.MemoryBytes) : StoredText(name), IDisposable
{
    public const int MemoryBytes = 1 << 25;

    private MemoryStream? _memory = new();
    private FileStream? _file;

    /// <summary>The bytes written so far.</summary>
    public long Length { get; private set; }

    /// <summary>Adds to its end.</summary>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public void Write(ReadOnlySpan<byte> text)
    {
        try
        {
            if (_memory is not null && Length + text.Length > memoryBytes)
            {
                _file = CreateUnnamed();
                _memory.WriteTo(_file);
                _memory = null;
            }

            ((Stream?)_memory ?? _file!).Write(text);
            Length += text.Length;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw CannotKeep(e);
        }
    }

    /// <summary>Forgets what was written after its first <paramref name="length"/> bytes.</summary>
    public void CutBackTo(long length)
    {
        Length = length;
        ((Stream?)_memory ?? _file!).SetLength(length);
        ((Stream?)_memory ?? _file!).Position = length;
    }

    /// <inheritdoc/>
    public override Stream Open(long offset)
    {
        if (_memory is not null)
        {
            return new MemoryStream(_memory.GetBuffer(), 0, (int)Length, writable: false) { Position = offset };
        }

        _file!.Flush();
        return new HandleStream(_file.SafeFileHandle, Length) { Position = offset };
    }

    public void Dispose()
    {
        _memory = null;
        _file?.Dispose();
    }

    /// <summary>A file in the cache's folder that no name leads to.</summary>
    /// <exception cref="UserException">There can be none.</exception>
    public static FileStream CreateUnnamed()
    {
        try
        {
            string path = Path.Combine(Directory.CreateDirectory(CacheFolder.Default).FullName, $"text-{Guid.NewGuid():N}.tmp");
            FileOptions options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;
            var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 1 << 16, options);
            if (!OperatingSystem.IsWindows())
            {
                File.Delete(path);
            }

            return file;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw CannotKeep(e);
        }
    }

    private static UserException CannotKeep(Exception e)
        => new($"{FileFault.Describe("cannot keep the text in", CacheFolder.Default, e).Message}; set NANOFOLD_CACHE to a folder with room for it", e);

    // Streams of one file with a place each.
    private sealed class HandleStream(SafeFileHandle handle, long length) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int read = RandomAccess.Read(handle, buffer, Position);
            Position += read;
            return read;
        }

        public override long Seek(long offset, SeekOrigin origin)
            => Position = offset + (origin switch { SeekOrigin.Current => Position, SeekOrigin.End => length, _ => 0 });

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
