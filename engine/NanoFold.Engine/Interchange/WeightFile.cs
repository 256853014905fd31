using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange;

/// <summary>Writes the weights of another program as a safetensors file of ours: 16 bits stay 16 bits, all else is float32.</summary>
public static class WeightFile
{
    private const int PieceElements = 1 << 20;

    /// <summary>Writes the file; of the weights a piece is in memory at a time.</summary>
    /// <param name="weights">What is written.</param>
    /// <param name="path">Where they come from, for messages.</param>
    /// <param name="target">Where to.</param>
    /// <exception cref="UserException">A value is not finite, or a file cannot be read.</exception>
    public static void Write(IWeights weights, string path, Stream target)
    {
        SafeTensorsWriter writer = ModelFile.NewWriter();
        var floats = new float[PieceElements];
        var bytes = new byte[PieceElements * sizeof(float)];
        foreach (WeightInfo weight in weights.All)
        {
            SafeTensorType type = weight.Type switch { "F16" => SafeTensorType.F16, "BF16" => SafeTensorType.BF16, _ => SafeTensorType.F32 };
            writer.Add(weight.Name, type, [.. weight.Shape.Select(extent => (long)extent)], start =>
            {
                long first = start / type.Size();
                Span<float> piece = floats.AsSpan(0, (int)Math.Min(PieceElements, weight.Count - first));
                weights.Read(weight.Name, first, piece);
                return TensorPrimitives.IsFiniteAll<float>(piece)
                    ? Narrow(piece, type, bytes)
                    : throw new UserException($"{path}: '{weight.Name}' has values that are not finite");
            });
        }

        writer.WriteTo(target);
    }

    // Exact, for the values were widened from that type.
    private static ReadOnlySpan<byte> Narrow(ReadOnlySpan<float> values, SafeTensorType type, byte[] bytes)
    {
        Span<byte> result = bytes.AsSpan(0, values.Length * type.Size());
        if (type == SafeTensorType.F32)
        {
            return MemoryMarshal.AsBytes(values);
        }

        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(result);
        for (int i = 0; i < values.Length; i++)
        {
            halves[i] = type == SafeTensorType.F16 ? BitConverter.HalfToUInt16Bits((Half)values[i]) : BFloat16.FromSingle(values[i]);
        }

        return result;
    }
}
