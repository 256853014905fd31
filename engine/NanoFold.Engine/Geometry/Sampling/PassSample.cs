using System.Globalization;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>What stays of a pass of the probe when it has gone through the model.</summary>
public sealed class PassSample
{
    /// <summary>
    /// The residual stream before the first block and after each, L + 1 clouds over the same tokens: those of <see cref="PointCloud.NeighborValues"/>.
    /// </summary>
    public required IReadOnlyList<PointCloud> Streams { get; init; }

    /// <summary>The same as they were when measured the time before, or null the first time.</summary>
    public IReadOnlyList<PointCloud>? Before { get; init; }

    /// <summary>Steps taken since then.</summary>
    public long StepsSince { get; init; }

    /// <summary>The model's parameters.</summary>
    public required ParameterStore Store { get; init; }

    /// <summary>The whole model with its tokens, after training; null during it.</summary>
    public NetworkSample? Network { get; init; }
}

/// <summary>One matrix of a model's weights.</summary>
public sealed class WeightSample
{
    /// <summary>The parameter's name.</summary>
    public required string Name { get; init; }

    /// <summary>The block it is of, or null.</summary>
    public required int? Layer { get; init; }

    /// <summary>M.</summary>
    public required int Rows { get; init; }

    /// <summary>N.</summary>
    public required int Columns { get; init; }

    /// <summary>[M, N].</summary>
    public required float[] Values { get; init; }

    /// <summary>Reads a parameter; one of more than two dimensions is its last one by all before.</summary>
    public static WeightSample Of(ParameterStore store, Parameter parameter)
    {
        View view = store.Values(parameter);
        var values = new float[view.Count];
        store.Backend.Read(view, values.AsSpan());
        return new WeightSample
        {
            Name = parameter.Name,
            Layer = LayerOf(parameter),
            Rows = (int)view.Layout.Rows,
            Columns = view.Layout[-1],
            Values = values,
        };
    }

    // Parameters are named as in model.layers.3.mlp.up_proj.weight.
    internal static int? LayerOf(Parameter parameter)
    {
        string[] parts = parameter.Name.Split('.');
        int at = Array.IndexOf(parts, "layers");
        return at >= 0 && int.TryParse(parts[at + 1], CultureInfo.InvariantCulture, out int layer) ? layer : null;
    }
}
