using System.Security.Cryptography;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// What a file of a checkpoint was when it was written, so that a bit that changed since is found when it is read. The hash is SHA-256: it is part
/// of .NET, where xxHash would be a package more; <c>sha256sum</c> computes it too; and it is the hash of texts and tokenizers already.
/// </summary>
/// <param name="Name">Its plain name, such as <c>model.safetensors</c>.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its hash, 64 hexadecimal digits in lower case.</param>
public sealed record FileSeal(string Name, long Bytes, string Sha256)
{
    /// <summary>What a file is now.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static FileSeal Of(string path) => Read(path, file => new FileSeal(Path.GetFileName(path), file.Length, Convert.ToHexStringLower(SHA256.HashData(file))));

    /// <summary>Throws where the file in <paramref name="folder"/> is not what was written.</summary>
    /// <exception cref="UserException">It differs, or cannot be read.</exception>
    public void Require(string folder)
    {
        string path = Path.Combine(folder, Name);
        long length = Read(path, file => file.Length);
        if (length != Bytes)
        {
            throw new UserException($"{path}: is damaged or was changed: it has {length} bytes, {Bytes} were written");
        }

        if (Of(path).Sha256 != Sha256)
        {
            throw new UserException($"{path}: is damaged or was changed: its SHA-256 is not that of what was written");
        }
    }

    private static T Read<T>(string path, Func<FileStream, T> read)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            return read(file);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot read", path, exception);
        }
    }
}

/// <summary>Passes on what is written and hashes it on the way; it does not own the stream.</summary>
internal sealed class SealingStream(Stream target) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _bytes;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _bytes;

    public override long Position
    {
        get => _bytes;
        set => throw new NotSupportedException();
    }

    /// <summary>Of what was written so far.</summary>
    public FileSeal Seal(string name) => new(name, _bytes, Convert.ToHexStringLower(_hash.GetCurrentHash()));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        target.Write(buffer);
        _hash.AppendData(buffer);
        _bytes += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => target.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
        }

        base.Dispose(disposing);
    }
}
