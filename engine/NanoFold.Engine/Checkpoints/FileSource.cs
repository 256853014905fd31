using System.Numerics;
using System.Numerics.Tensors;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Checkpoints;

/// <summary>Values from an open safetensors file, under the names of the tensors; rounded where the file's type is wider.</summary>
public sealed class FileSource(SafeTensorsFile file) : IParameterSource
{
    private const int PieceElements = 1 << 20;

    private float[] _floats = [];

    /// <inheritdoc/>
    public bool TryFill(StoredTensor tensor)
    {
        if (file.Find(tensor.Name) is not { } info)
        {
            return false;
        }

        RequireShape(file, info, tensor);
        Fill(tensor.Store.Backend, tensor.Name, 0, tensor.Store.Values(tensor));
        return true;
    }

    /// <summary>Writes a tensor's elements, from one on, into a contiguous view.</summary>
    internal void Fill(Backend backend, string name, long first, in View target)
    {
        for (long start = 0; start < target.Count; start += PieceElements)
        {
            int count = (int)Math.Min(PieceElements, target.Count - start);
            Write(backend, name, first + start, target.With(Layout.Of(count), start));
        }
    }

    /// <summary>Throws where a tensor of the file has not the shape of the model's.</summary>
    internal static void RequireShape(SafeTensorsFile file, SafeTensorInfo info, StoredTensor tensor)
    {
        if (!info.Shape.SequenceEqual(ShapeOf(tensor.Layout)))
        {
            throw new UserException($"{file.Path}: '{tensor.Name}' is [{string.Join(", ", info.Shape)}]; the model expects {tensor.Layout}");
        }
    }

    /// <summary>A layout's dimensions, as the file has them.</summary>
    internal static long[] ShapeOf(in Layout layout) => Array.ConvertAll(layout.ToShape(), d => (long)d);

    /// <summary>Throws where a value is not finite: no checkpoint is written with one.</summary>
    private static void RequireFinite<T>(string path, string name, ReadOnlySpan<T> values)
        where T : INumberBase<T>
    {
        if (!TensorPrimitives.IsFiniteAll(values))
        {
            throw new UserException($"{path}: is damaged: '{name}' has values that are not finite");
        }
    }

    private void Write(Backend backend, string name, long start, in View target)
    {
        int count = (int)target.Count;
        switch (target.Type)
        {
            case DType.Int32:
                var integers = new int[count];
                file.ReadPart(name, start, integers.AsSpan());
                backend.Upload<int>(integers, target);
                break;
            case DType.Float64:
                var doubles = new double[count];
                file.ReadPart(name, start, doubles.AsSpan());
                RequireFinite<double>(file.Path, name, doubles);
                backend.Upload<double>(doubles, target);
                break;
            default:
                Array.Resize(ref _floats, Math.Max(_floats.Length, count));
                Span<float> floats = _floats.AsSpan(0, count);
                file.ReadPart(name, start, floats);
                RequireFinite<float>(file.Path, name, floats);
                backend.Write(floats, target);
                break;
        }
    }
}
