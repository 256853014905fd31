using System.Buffers;
using System.Runtime.InteropServices;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Interchange;

/// <summary>Reads elements of a parameter from one on, widened.</summary>
internal delegate void WeightReader(long start, Span<float> destination);

/// <summary>Parameters as they are in their files, or rounded to a smaller type when they are read: for models that are only used.</summary>
/// <param name="backend">Where they are used.</param>
/// <param name="storage">What they are to be.</param>
/// <param name="leastFileBytes">Weights of smaller files are copied where storage is that of the file.</param>
internal sealed class WeightHolder(Backend backend, WeightStorage storage, long leastFileBytes) : IDisposable
{
    /// <summary>Less than this stays in caches, where single precision is the fastest.</summary>
    public const long LeastFileBytes = 16 << 20;

    // A parameter of less is not worth a place of its own.
    private const long LeastBytes = 1 << 16;
    private const int PieceElements = 1 << 20;

    private readonly Dictionary<string, NativeBuffer> _files = new(StringComparer.Ordinal);

    /// <summary>The values of a parameter as they are to be held; null where they are to be copied in single precision.</summary>
    /// <param name="parameter">Whose values.</param>
    /// <param name="path">Of the model, for messages.</param>
    /// <param name="runs">Where they lie; null where they are only to be had by reading.</param>
    /// <param name="read">Reads them.</param>
    /// <exception cref="UserException">They are not finite, too large for the type, or cannot be read.</exception>
    public HeldValues? Hold(Parameter parameter, string path, IReadOnlyList<WeightRun>? runs, WeightReader read)
    {
        if (storage == WeightStorage.Float32 || parameter.Store.Type != DType.Float32)
        {
            return null;
        }

        DType? stored = runs is [{ } first, ..] ? first.Place.Type : null;
        if (storage.TypeOf() is { } type)
        {
            return !CanBe(parameter, type) ? null : stored == type ? Take(parameter, path, type, runs!) : Round(parameter, path, type, read);
        }

        bool isUsable = stored == DType.Float32 ? runs!.Count == 1 && parameter.Layout.Count * sizeof(float) >= LeastBytes : stored is { } found && CanBe(parameter, found);
        return isUsable && runs!.All(run => FileOf(run.Place.File) is { } file && file.Bytes >= leastFileBytes) ? Take(parameter, path, stored!.Value, runs!) : null;
    }

    /// <summary>Lets go of the files; what was held of them stays.</summary>
    public void Dispose()
    {
        foreach (NativeBuffer file in _files.Values)
        {
            file.Dispose();
        }
    }

    // Products with matrices of one row add up in another order when they are in single precision.
    private bool CanBe(Parameter parameter, DType type) =>
        parameter.AllowsStoredTypes && parameter.Layout.Rank > 1 && parameter.Layout[-2] > 1 && backend.ReadsWeights(type)
        && (!type.IsBlocks() || parameter.Layout[-1] % DTypeExtensions.BlockValues == 0);

    // Null where the backend does not map files.
    private NativeBuffer? FileOf(string path)
    {
        if (_files.TryGetValue(path, out NativeBuffer? file))
        {
            return file;
        }

        try
        {
            if (backend.Map(path) is not NativeBuffer mapped)
            {
                return null;
            }

            _files.Add(path, mapped);
            return mapped;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    private HeldValues? Take(Parameter parameter, string path, DType type, IReadOnlyList<WeightRun> runs)
    {
        if (runs.Any(run => FileOf(run.Place.File) is null))
        {
            return null;
        }

        long bytes = type.Bytes(parameter.Layout.Count), at = 0;
        NativeBuffer values = runs is [{ Place: { } only }] ? FileOf(only.File)!.Part(only.Offset, bytes) : new NativeBuffer(bytes);
        try
        {
            for (int i = 0; runs.Count > 1 && i < runs.Count; i++)
            {
                int length = checked((int)type.Bytes(runs[i].Count));
                FileOf(runs[i].Place.File)!.Span<byte>(runs[i].Place.Offset, length).CopyTo(values.Span<byte>(at, length));
                at += length;
            }

            for (long start = 0; start < parameter.Layout.Count; start += PieceElements)
            {
                int length = (int)type.Bytes(Math.Min(PieceElements, parameter.Layout.Count - start));
                if (!StoredValues.AreFinite(type, values.Span<byte>(type.Bytes(start), length)))
                {
                    throw new UserException($"{path}: '{parameter.Name}' has values that are not finite");
                }
            }

            return new HeldValues(values, type);
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }

    private static HeldValues Round(Parameter parameter, string path, DType type, WeightReader read)
    {
        long elements = parameter.Layout.Count;
        float[] piece = ArrayPool<float>.Shared.Rent((int)Math.Min(PieceElements, elements));
        var values = new NativeBuffer(type.Bytes(elements));
        try
        {
            for (long start = 0; start < elements; start += PieceElements)
            {
                Span<float> floats = piece.AsSpan(0, (int)Math.Min(PieceElements, elements - start));
                read(start, floats);
                if (!StoredValues.AreFinite(DType.Float32, MemoryMarshal.AsBytes(floats)))
                {
                    throw new UserException($"{path}: '{parameter.Name}' has values that are not finite");
                }

                if (!StoredValues.TryNarrow(type, floats, values.Span<byte>(type.Bytes(start), (int)type.Bytes(floats.Length))))
                {
                    throw new UserException($"{path}: '{parameter.Name}' has values too large for {(type == DType.BFloat16 ? "bf16" : "half precision")}; take --weights {(type == DType.BFloat16 ? "f32" : "bf16")}");
                }
            }

            return new HeldValues(values, type);
        }
        catch
        {
            values.Dispose();
            throw;
        }
        finally
        {
            ArrayPool<float>.Shared.Return(piece);
        }
    }
}
