using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using NanoFold.Engine.Interchange.Gguf.Blocks;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>Writes a GGUF file, version 3: metadata, then records of tensors, then their data, which is fetched one tensor after the other.</summary>
internal sealed class GgufWriter
{
    private const uint Version = 3;
    private const int Alignment = 32;

    private readonly List<byte[]> _entries = [];
    private readonly List<(string Name, IReadOnlyList<long> Shape, BlockType Type, Func<byte[]> Data)> _tensors = [];

    public void Text(string key, string value) => Entry(key, GgufKind.String, Counted(Encoding.UTF8.GetBytes(value)));

    public void Number(string key, long value) => Entry(key, GgufKind.UInt32, BitConverter.GetBytes(checked((uint)value)));

    public void Real(string key, double value) => Entry(key, GgufKind.Float32, BitConverter.GetBytes((float)value));

    public void Flag(string key, bool value) => Entry(key, GgufKind.Bool, [(byte)(value ? 1 : 0)]);

    public void Texts(string key, IReadOnlyCollection<byte[]> values) => List(key, GgufKind.String, values.Count, [.. values.SelectMany(Counted)]);

    public void Numbers(string key, int[] values) => List(key, GgufKind.Int32, values.Length, MemoryMarshal.AsBytes(values.AsSpan()));

    public void Reals(string key, float[] values) => List(key, GgufKind.Float32, values.Length, MemoryMarshal.AsBytes(values.AsSpan()));

    /// <summary>Adds a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Row-major.</param>
    /// <param name="type">Of its blocks.</param>
    /// <param name="data">Gives its bytes when they are written.</param>
    public void Tensor(string name, IReadOnlyList<long> shape, BlockType type, Func<byte[]> data) => _tensors.Add((name, shape, type, data));

    /// <summary>Writes the whole file, from the stream's position on.</summary>
    public void WriteTo(Stream stream)
    {
        byte[] head = Head();
        stream.Write(head);
        Pad(stream, head.Length);
        foreach ((string name, IReadOnlyList<long> shape, BlockType type, Func<byte[]> data) in _tensors)
        {
            byte[] bytes = data();
            if (bytes.Length != BytesOf(shape, type))
            {
                throw new InvalidOperationException($"gguf: tensor '{name}' takes {BytesOf(shape, type)} bytes, its source gave {bytes.Length}");
            }

            stream.Write(bytes);
            Pad(stream, bytes.Length);
        }
    }

    /// <summary>Writes what stands before the data, and makes the file as long as it would be.</summary>
    public void WriteHead(Stream stream)
    {
        byte[] head = Head();
        stream.Write(head);
        stream.SetLength(Padded(head.Length) + _tensors.Sum(tensor => Padded(BytesOf(tensor.Shape, tensor.Type))));
    }

    private byte[] Head()
    {
        using var head = new MemoryStream();
        head.Write(GgufFile.Magic);
        head.Write(BitConverter.GetBytes(Version));
        head.Write(BitConverter.GetBytes((ulong)_tensors.Count));
        head.Write(BitConverter.GetBytes((ulong)_entries.Count));
        _entries.ForEach(entry => head.Write(entry));
        long offset = 0;
        foreach ((string name, IReadOnlyList<long> shape, BlockType type, _) in _tensors)
        {
            head.Write(Counted(Encoding.UTF8.GetBytes(name)));
            head.Write(BitConverter.GetBytes((uint)shape.Count));
            foreach (long extent in shape.Reverse())
            {
                head.Write(BitConverter.GetBytes(extent));
            }

            head.Write(BitConverter.GetBytes(type.Id));
            head.Write(BitConverter.GetBytes(offset));
            offset += Padded(BytesOf(shape, type));
        }

        return head.ToArray();
    }

    private void List(string key, GgufKind element, int count, ReadOnlySpan<byte> values) =>
        Entry(key, GgufKind.Array, [.. BitConverter.GetBytes((uint)element), .. BitConverter.GetBytes((ulong)count), .. values]);

    private void Entry(string key, GgufKind kind, byte[] value) => _entries.Add([.. Counted(Encoding.UTF8.GetBytes(key)), .. BitConverter.GetBytes((uint)kind), .. value]);

    private static byte[] Counted(byte[] bytes)
    {
        var counted = new byte[sizeof(ulong) + bytes.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(counted, (ulong)bytes.Length);
        bytes.CopyTo(counted, sizeof(ulong));
        return counted;
    }

    private static long BytesOf(IReadOnlyList<long> shape, BlockType type) => shape.Aggregate(1L, (product, extent) => product * extent) / type.Values * type.Bytes;

    private static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(Stream stream, long bytes) => stream.Write(new byte[(int)(Padded(bytes) - bytes)]);
}
