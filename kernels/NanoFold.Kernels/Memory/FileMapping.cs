using System.IO.MemoryMappedFiles;

namespace NanoFold.Kernels.Memory;

/// <summary>A file's bytes in this process's memory, copied where they are written; there until the last of those who share it has released it.</summary>
internal sealed unsafe class FileMapping
{
    private readonly IDisposable _mapped;
    private int _shares = 1;

    private FileMapping(byte* pointer, long bytes, IDisposable mapped)
    {
        Pointer = pointer;
        (Bytes, _mapped) = (bytes, mapped);
    }

    /// <summary>The first byte.</summary>
    public byte* Pointer { get; }

    /// <summary>Of the file.</summary>
    public long Bytes { get; }

    /// <param name="path">The file.</param>
    /// <param name="counts">By .NET's own means on Linux too: its system then counts all pages as memory which may be needed.</param>
    /// <exception cref="IOException">The file cannot be read, or is empty.</exception>
    public static FileMapping Open(string path, bool counts = false)
    {
        // Deleting and replacing it stay possible, as for any reader.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        long bytes = stream.Length;
        if (bytes == 0)
        {
            throw new IOException($"{path}: is empty");
        }

        // A system may count what could be written to, so that a file which is larger than its memory cannot be mapped.
        if (!counts && OperatingSystem.IsLinux() && UncountedPages.Map(stream.SafeFileHandle, bytes) is { } pages)
        {
            return new FileMapping(pages.Pointer, bytes, pages);
        }

        View view = View.Of(stream);
        return new FileMapping(view.Pointer, bytes, view);
    }

    public void Share() => Interlocked.Increment(ref _shares);

    public void Release()
    {
        if (Interlocked.Decrement(ref _shares) == 0)
        {
            _mapped.Dispose();
        }
    }

    /// <summary>By .NET's own means, which every system has.</summary>
    private sealed class View : IDisposable
    {
        private readonly MemoryMappedFile _file;
        private readonly MemoryMappedViewAccessor _view;

        private View(MemoryMappedFile file, MemoryMappedViewAccessor view)
        {
            (_file, _view) = (file, view);
            byte* pointer = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            Pointer = pointer + view.PointerOffset;
        }

        public byte* Pointer { get; }

        public static View Of(FileStream stream)
        {
            MemoryMappedFile file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.CopyOnWrite, HandleInheritability.None, leaveOpen: true);
            try
            {
                return new View(file, file.CreateViewAccessor(0, stream.Length, MemoryMappedFileAccess.CopyOnWrite));
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }

        public void Dispose()
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }
}
