namespace NanoFold.Engine.Checkpoints;

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its extents, row-major; empty for a scalar.</param>
/// <param name="Offset">Where its bytes begin, from the start of the file.</param>
/// <param name="ByteCount">How many bytes it has.</param>
public sealed record SafeTensorInfo(string Name, SafeTensorType Type, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>How many elements it has.</summary>
    public long Count => ByteCount / Type.Size();

    public override string ToString() => $"{Name} {Type.FormatName()} [{string.Join(", ", Shape)}]";
}
