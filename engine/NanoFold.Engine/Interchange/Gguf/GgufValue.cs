using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>Types of metadata; the numbers are those of the file.</summary>
internal enum GgufKind
{
    UInt8 = 0,
    Int8 = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Float32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Float64 = 12,
}

/// <summary>A value of metadata, in the bytes that the file has.</summary>
/// <param name="Kind">Its type.</param>
/// <param name="Data">A number, little-endian; text as UTF-8; of a list the elements one after the other.</param>
internal sealed record GgufValue(GgufKind Kind, byte[] Data)
{
    private const int Shown = 60;

    /// <summary>Of a list: the type of its elements.</summary>
    public GgufKind Element { get; init; }

    /// <summary>Of a list: how many elements it has.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Of a list of texts: where each ends in <see cref="Data"/>.</summary>
    public int[] Ends { get; init; } = [];

    /// <summary>A whole number of any type, or null.</summary>
    public long? Integer => Kind switch
    {
        GgufKind.UInt8 => Data[0],
        GgufKind.Int8 => (sbyte)Data[0],
        GgufKind.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(Data),
        GgufKind.Int16 => BinaryPrimitives.ReadInt16LittleEndian(Data),
        GgufKind.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(Data),
        GgufKind.Int32 => BinaryPrimitives.ReadInt32LittleEndian(Data),
        GgufKind.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(Data) is <= long.MaxValue and ulong number ? (long)number : long.MaxValue,
        GgufKind.Int64 => BinaryPrimitives.ReadInt64LittleEndian(Data),
        _ => null,
    };

    /// <summary>A number of any type, or null; one of 32 bits is taken for the shortest decimal number that rounds to it, as it was written: 1e-5.</summary>
    public double? Number => Kind switch
    {
        GgufKind.Float32 => Shortest(BinaryPrimitives.ReadSingleLittleEndian(Data)),
        GgufKind.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(Data),
        _ => Integer,
    };

    /// <summary>True or false, or null.</summary>
    public bool? Flag => Kind == GgufKind.Bool ? Data[0] != 0 : null;

    /// <summary>A text, or null.</summary>
    public string? Text => Kind == GgufKind.String ? Encoding.UTF8.GetString(Data) : null;

    /// <summary>The bytes of a text of a list of texts.</summary>
    public ReadOnlySpan<byte> BytesAt(int index) => Data.AsSpan((index > 0 ? Ends[index - 1] : 0)..Ends[index]);

    /// <summary>A text of a list of texts.</summary>
    public string TextAt(int index) => Encoding.UTF8.GetString(BytesAt(index));

    /// <summary>An element of a list of numbers.</summary>
    public GgufValue At(int index)
    {
        int size = Data.Length / Count;
        return new GgufValue(Element, Data[(index * size)..((index + 1) * size)]);
    }

    /// <summary>All elements of a list of numbers of that size.</summary>
    public T[] Elements<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data).ToArray();

    /// <summary>For people, not longer than a line.</summary>
    public override string ToString()
    {
        string text = Kind switch
        {
            GgufKind.String => $"\"{Text}\"",
            GgufKind.Array => $"{Count} of {Element}",
            GgufKind.Bool => Flag == true ? "true" : "false",
            _ => Number!.Value.ToString(CultureInfo.InvariantCulture),
        };
        return text.Length <= Shown ? text : $"{text[..(Shown - 3)]}...";
    }

    private static double Shortest(float value) => float.IsFinite(value) ? double.Parse(value.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : value;
}
