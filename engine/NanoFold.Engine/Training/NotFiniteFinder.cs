using System.Numerics.Tensors;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>Reads every point and remembers the first that holds a value that is not finite.</summary>
internal sealed class NotFiniteFinder : ITapReader
{
    private const string Scores = ".hook_attn_scores";

    public string Pattern => "*";

    /// <summary>Name of the first such point, or null.</summary>
    public string? Found { get; private set; }

    public void Read(TapValue value)
    {
        if (Found is not null)
        {
            return;
        }

        float[] values = value.ToArray();
        if (value.Name.EndsWith(Scores, StringComparison.Ordinal))
        {
            // What a query does not see scores −∞.
            values.AsSpan().Replace(float.NegativeInfinity, 0);
        }

        if (!TensorPrimitives.IsFiniteAll<float>(values))
        {
            Found = value.Name;
        }
    }

    /// <summary>The first parameter whose gradient is not finite, or null.</summary>
    public static string? FirstGradient(ParameterStore store)
    {
        foreach (Parameter parameter in store.Parameters.Where(p => !p.Frozen))
        {
            View gradient = store.Gradients(parameter);
            var values = new float[gradient.Count];
            store.Backend.Download(gradient, values.AsSpan());
            if (!TensorPrimitives.IsFiniteAll<float>(values))
            {
                return $"the gradient of {parameter.Name}";
            }
        }

        return null;
    }
}
