using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Memory;

/// <summary>
/// A whole file mapped into memory for reading: nothing is copied, the system pages in what is touched, and offsets
/// are 64-bit, so files beyond 2 GiB work. Files are little-endian; <see cref="Read{T}"/> reinterprets bytes in place.
/// </summary>
/// <remarks>
/// Spans are valid until <see cref="Dispose"/>. The file must not be truncated meanwhile (the system then faults on
/// access), so map only files that are written once and renamed into place.
/// </remarks>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _bytes;
    private bool _disposed;

    /// <summary>Maps the file at <paramref name="path"/>. An empty file is allowed and has length 0.</summary>
    /// <exception cref="IOException">The file is missing or cannot be mapped.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public MappedFile(string path)
    {
        Path = path;
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 1);
        try
        {
            Length = file.Length;
            if (Length == 0)
            {
                file.Dispose();
                return;
            }

            _map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            _view = _map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _bytes);
            _bytes += _view.PointerOffset;
        }
        catch
        {
            _view?.Dispose();
            _map?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>The path that was mapped.</summary>
    public string Path { get; }

    /// <summary>Bytes in the file.</summary>
    public long Length { get; }

    /// <summary>The bytes [offset, offset + length), without a copy.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    public ReadOnlySpan<byte> Bytes(long offset, int length) => Read<byte>(offset, length);

    /// <summary><paramref name="count"/> values of <typeparamref name="T"/> that begin at byte <paramref name="offset"/>, without a copy.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    public ReadOnlySpan<T> Read<T>(long offset, int count)
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (offset < 0 || count < 0 || offset > Length || (long)count * Unsafe.SizeOf<T>() > Length - offset)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"{Path}: {count} × {Unsafe.SizeOf<T>()} bytes at {offset} are not inside its {Length} bytes");
        }

        return new ReadOnlySpan<T>(_bytes + offset, count);
    }

    /// <summary>Unmaps the file; every span taken from it is invalid afterwards.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_bytes != null)
        {
            _bytes = null;
            _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        }

        _view?.Dispose();
        _map?.Dispose();
    }
}
