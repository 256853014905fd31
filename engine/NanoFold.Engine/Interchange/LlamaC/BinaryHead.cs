using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>The whole numbers that a file begins with.</summary>
/// <param name="Numbers">Of 32 bits, as many as there are, little-endian.</param>
/// <param name="Length">Bytes of the file.</param>
internal readonly record struct BinaryHead(int[] Numbers, long Length)
{
    /// <summary>How many numbers are read at most.</summary>
    public const int Most = 256;

    /// <summary>Reads the head of a file.</summary>
    public static BinaryHead Of(SafeFileHandle handle)
    {
        long length = RandomAccess.GetLength(handle);
        int[] numbers = new int[(int)Math.Min(Most, length / sizeof(int))];
        Span<byte> rest = MemoryMarshal.AsBytes(numbers.AsSpan());
        for (long at = 0; rest.Length > 0;)
        {
            int count = RandomAccess.Read(handle, rest, at);
            if (count == 0)
            {
                return new BinaryHead(numbers[..(int)(at / sizeof(int))], length);
            }

            rest = rest[count..];
            at += count;
        }

        return new BinaryHead(numbers, length);
    }

    /// <summary>Opens a file for reading and reads its head.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static (SafeFileHandle Handle, BinaryHead Head) Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            return (handle, Of(handle));
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            handle?.Dispose();
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    /// <summary>What a file looks like, or null where it is none or cannot be read.</summary>
    public static BinaryHead? Peek(string path)
    {
        if (!File.Exists(path) || FileKind.IsSpecial(path))
        {
            return null;
        }

        try
        {
            using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            return Of(handle);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            return null;
        }
    }
}
