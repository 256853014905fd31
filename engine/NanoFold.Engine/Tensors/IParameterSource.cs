using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>Where a store's values come from: a seed, a file, another store, or one where another has none.</summary>
public interface IParameterSource
{
    /// <summary>Writes all of a tensor's values.</summary>
    /// <returns>False where it has none of that name; then nothing is written.</returns>
    /// <exception cref="UserException">It has one of that name, but not of that shape, or it cannot be read.</exception>
    bool TryFill(StoredTensor tensor);
}

/// <summary>Values of a parameter that are read where they are: those of a file in its place, or in a type of files, in memory of their own.</summary>
/// <param name="Buffer">Where they are.</param>
/// <param name="Type">In which they are.</param>
public sealed record HeldValues(DeviceBuffer Buffer, DType Type);

/// <summary>A source that has values in a form in which a store can use them as they are, for models that are not trained.</summary>
public interface IHoldingSource : IParameterSource
{
    /// <summary>The values of a parameter as they are, whose buffer is the store's from then on; null where they are to be copied, see <see cref="IParameterSource.TryFill"/>.</summary>
    /// <exception cref="UserException">It has values of that name, but not of that shape, or they cannot be read.</exception>
    HeldValues? TryHold(Parameter parameter);
}

/// <summary>What one source has, and the rest from another: a base from a file beside adapters by a seed.</summary>
public sealed class FirstOfSources(params IReadOnlyList<IParameterSource> sources) : IParameterSource
{
    /// <inheritdoc/>
    public bool TryFill(StoredTensor tensor)
    {
        foreach (IParameterSource source in sources)
        {
            if (source.TryFill(tensor))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>The values of another store on the same backend, as they are when the new one is filled; its type may be another.</summary>
public sealed class StoreSource(ParameterStore from) : IParameterSource
{
    private const int PieceElements = 1 << 20;

    /// <inheritdoc/>
    public bool TryFill(StoredTensor tensor)
    {
        if (from.Find(tensor.Name) is not { } found)
        {
            return false;
        }

        if (!found.Layout.SameShape(tensor.Layout) || found.Type.IsReal() != tensor.Type.IsReal())
        {
            throw new UserException($"'{tensor.Name}' is {found.Type}{found.Layout} in the model whose values are taken; expected {tensor.Type}{tensor.Layout}");
        }

        Backend backend = tensor.Store.Backend;
        if (from.Backend != backend)
        {
            throw new ArgumentException($"parameters are on {from.Backend.Name}, the new store is on {backend.Name}");
        }

        View source = from.Values(found), target = tensor.Store.Values(tensor);
        if (source.Type == target.Type)
        {
            backend.Copy(source, target);
            return true;
        }

        var piece = new double[Math.Min(PieceElements, target.Count)];
        for (long start = 0; start < target.Count; start += piece.Length)
        {
            Span<double> values = piece.AsSpan(0, (int)Math.Min(piece.Length, target.Count - start));
            Layout layout = Layout.Of(values.Length);
            backend.Read(source.With(layout, start), values);
            backend.Write((ReadOnlySpan<double>)values, target.With(layout, start));
        }

        return true;
    }
}
