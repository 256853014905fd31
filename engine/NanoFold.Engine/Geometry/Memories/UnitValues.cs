using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Memories;

/// <summary>
/// The hidden units of a block's feed-forward as a memory of keys and values (Geva et al. 2021): what excites a unit is its key, and what it then adds to the stream its value, a column of the
/// down-projection [C, F]. Units may be rewritten for a while.
/// </summary>
internal sealed class UnitValues
{
    private readonly Transformer _model;
    private readonly StoredTensor _parameter;
    private readonly float[] _weights;

    /// <exception cref="UserException">The block has no such units.</exception>
    public UnitValues(Transformer model, int layer)
    {
        if (WhyNot(model, layer) is { } reason)
        {
            throw new UserException($"layer {layer}: {reason}");
        }

        (_model, Layer) = (model, layer);
        _parameter = model.Store.Find(Name(layer))!;
        _weights = VocabularyReadOut.Read(model.Store, _parameter);
    }

    /// <summary>The block.</summary>
    public int Layer { get; }

    /// <summary>C.</summary>
    public int Width => _model.Config.Width;

    /// <summary>F.</summary>
    public int Count => _weights.Length / Width;

    /// <summary>The point at which units are seen.</summary>
    public string Point => FormattableString.Invariant($"blocks.{Layer}.mlp.hook_post");

    /// <summary>Why a block has no units whose values are columns of one matrix, or null.</summary>
    public static string? WhyNot(Transformer model, int layer) =>
        model.Config.LayerConfigs().ElementAt(layer).FeedForward is not DenseConfig ? $"its feed-forward, {model.Config.LayerConfigs().ElementAt(layer).FeedForward.Kind}, is not one of units with a value each"
        : model.Config.LayerConfigs()[layer].FeedForward is DenseConfig { OutputScale: not 1 } ? "what its matrix of values gives is scaled on the way to the stream (outputScale)"
        : model.Config.Residual is ScaledConfig ? "what joins the stream and the stream itself are scaled (model.residual)"
        : model.Config.NormPlace != NormPlaceKind.Pre ? "a norm stands between its matrix of values and the stream (model.normPlace)"
        : model.Adapters is not null ? "adapters lie around its matrices; units are read of models without"
        : model.Store.Find(Name(layer)) is null ? "it has no matrix of values"
        : null;

    /// <summary>The value of a unit, [C].</summary>
    public float[] Value(int unit)
    {
        var value = new float[Width];
        for (int i = 0; i < value.Length; i++)
        {
            value[i] = _weights[(i * Count) + unit];
        }

        return value;
    }

    /// <summary>All values, [F, C].</summary>
    public float[] All()
    {
        var all = new float[_weights.Length];
        for (int unit = 0; unit < Count; unit++)
        {
            Value(unit).CopyTo(all.AsSpan(unit * Width));
        }

        return all;
    }

    /// <inheritdoc cref="With{T}"/>
    public void With(int unit, ReadOnlySpan<float> value, Action run) => With(unit, value, () =>
    {
        run();
        return true;
    });

    /// <summary>Runs something with another value in a unit's place; the model is what it was afterwards.</summary>
    public T With<T>(int unit, ReadOnlySpan<float> value, Func<T> run)
    {
        float[] changed = [.. _weights];
        for (int i = 0; i < value.Length; i++)
        {
            changed[(i * Count) + unit] = value[i];
        }

        try
        {
            Write(changed);
            return run();
        }
        finally
        {
            Write(_weights);
        }
    }

    private static string Name(int layer) => FormattableString.Invariant($"model.layers.{layer}.mlp.down_proj.weight");

    private void Write(float[] weights)
    {
        _model.Backend.Write(weights, _model.Store.Values(_parameter));
        _model.Store.Changed();
    }
}
