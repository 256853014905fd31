using System.Numerics.Tensors;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange;

/// <summary>The values of a model of another program, for a store of ours.</summary>
/// <param name="weights">Where they are.</param>
/// <param name="path">Of the model, for messages.</param>
public sealed class WeightSource(IWeights weights, string path) : IParameterSource
{
    private const int PieceElements = 1 << 20;

    private float[] _piece = [];

    /// <inheritdoc/>
    public bool TryFill(StoredTensor tensor)
    {
        if (!HasShape(tensor))
        {
            return false;
        }

        View target = tensor.Store.Values(tensor);
        Array.Resize(ref _piece, (int)Math.Max(_piece.Length, Math.Min(PieceElements, target.Count)));
        for (long start = 0; start < target.Count; start += PieceElements)
        {
            Span<float> piece = _piece.AsSpan(0, (int)Math.Min(PieceElements, target.Count - start));
            weights.Read(tensor.Name, start, piece);
            if (!TensorPrimitives.IsFiniteAll<float>(piece))
            {
                throw new UserException($"{path}: '{tensor.Name}' has values that are not finite");
            }

            tensor.Store.Backend.Write((ReadOnlySpan<float>)piece, target.With(Layout.Of(piece.Length), start));
        }

        return true;
    }

    /// <summary>Whether it has the tensor.</summary>
    /// <exception cref="UserException">It has, in another shape.</exception>
    public bool HasShape(StoredTensor tensor)
    {
        if (weights.Find(tensor.Name) is not { } info)
        {
            return false;
        }

        return info.Shape.SequenceEqual(tensor.Layout.ToShape())
            ? true
            : throw new UserException($"{path}: '{tensor.Name}' is [{string.Join(", ", info.Shape)}]; the model expects {tensor.Layout}");
    }
}
