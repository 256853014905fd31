using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>Which model it is that coded, and how long a description of it is.</summary>
internal static class ModelIdentity
{
    private const int Q8Block = 32, Q8Bytes = 34;

    /// <summary>The first 64 bits of a SHA-256 over its parameters with their names and shapes, its context and the bytes of its tokens: wherever they are read from.</summary>
    public static ulong Hash(Transformer model, Tokenizer tokenizer)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{model.Config.Context} {model.Config.Vocab} {tokenizer.Vocab}\n"));
        Span<byte> length = stackalloc byte[sizeof(int)];
        for (int id = 0; id < tokenizer.Vocab; id++)
        {
            ReadOnlySpan<byte> bytes = tokenizer.BytesOf(id);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        float[] values = [];
        foreach (StoredTensor tensor in model.Store.Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{tensor}\n"));
            View view = model.Store.Values(tensor);
            int count = checked((int)tensor.Layout.Count);
            if (values.Length < count)
            {
                values = new float[count];
            }

            if (view.Type == DType.Int32)
            {
                model.Backend.Download(view, MemoryMarshal.Cast<float, int>(values.AsSpan(0, count)));
            }
            else
            {
                model.Backend.Read(view, values.AsSpan(0, count));
            }

            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan(0, count)));
        }

        return BinaryPrimitives.ReadUInt64BigEndian(hash.GetHashAndReset());
    }

    /// <summary>Bytes of its parameters: in single precision, with matrices as they were rounded, and with those whose rows are whole blocks as Q8_0.</summary>
    public static ModelBytes Bytes(Transformer model, WeightStorage weights)
    {
        (long single, long q8, long used) = (0, 0, 0);
        foreach (StoredTensor tensor in model.Store.Tensors)
        {
            long count = tensor.Layout.Count, own = count * sizeof(float);
            single += own;
            used += tensor.Type.Bytes(count);
            q8 += tensor.Layout.Rank >= 2 && tensor.Layout[-1] % Q8Block == 0 ? count / Q8Block * Q8Bytes : own;
        }

        return new ModelBytes(weights, single, weights.TypeOf() is null ? single : used, q8);
    }
}

/// <summary>How long the description of a model is, without its tokenizer and the program.</summary>
/// <param name="Weights">What it predicted with.</param>
/// <param name="Single">In single precision.</param>
/// <param name="Used">As it predicted.</param>
/// <param name="Q8">With matrices in blocks of 32 numbers of 8 bits and a scale of 16, as GGUF's Q8_0.</param>
public sealed record ModelBytes(WeightStorage Weights, long Single, long Used, long Q8);
