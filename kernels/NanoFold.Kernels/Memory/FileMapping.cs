using System.IO.MemoryMappedFiles;

namespace NanoFold.Kernels.Memory;

/// <summary>A file's bytes in this process's memory, copied where they are written; there until the last of those who share it has released it.</summary>
internal sealed unsafe class FileMapping
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private int _shares = 1;

    private FileMapping(MemoryMappedFile file, MemoryMappedViewAccessor view, long bytes)
    {
        (_file, _view, Bytes) = (file, view, bytes);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        Pointer = pointer + view.PointerOffset;
    }

    /// <summary>The first byte.</summary>
    public byte* Pointer { get; }

    /// <summary>Of the file.</summary>
    public long Bytes { get; }

    /// <exception cref="IOException">The file cannot be read, or is empty.</exception>
    public static FileMapping Open(string path)
    {
        // Deleting and replacing it stay possible, as for any reader.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        if (stream.Length == 0)
        {
            throw new IOException($"{path}: is empty");
        }

        MemoryMappedFile? file = null;
        try
        {
            file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.CopyOnWrite, HandleInheritability.None, leaveOpen: true);
            return new FileMapping(file, file.CreateViewAccessor(0, stream.Length, MemoryMappedFileAccess.CopyOnWrite), stream.Length);
        }
        catch
        {
            file?.Dispose();
            throw;
        }
    }

    public void Share() => Interlocked.Increment(ref _shares);

    public void Release()
    {
        if (Interlocked.Decrement(ref _shares) == 0)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }
}
