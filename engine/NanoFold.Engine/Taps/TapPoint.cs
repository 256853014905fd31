using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Taps;

/// <summary>A point that a module declares: its name within the module (TransformerLens where that has one) and its shape.</summary>
/// <param name="Name">As in <c>hook_resid_post</c> or <c>attn.hook_q</c>.</param>
/// <param name="Shape">Dimensions as in <c>B T H D</c>; letters mean the same everywhere (B batch, T time, C width, H heads, G key heads, D head dimension, F hidden, E experts, V vocabulary).</param>
public sealed record TapPoint(string Name, string Shape)
{
    /// <summary>Whether it can be read and not edited: nothing uses the value.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Of a gate: the value at which it leaves what it multiplies as it is. Null where the point is no gate.</summary>
    public double? Open { get; init; }

    /// <summary>A gate that multiplies as it is.</summary>
    public static TapPoint Gate(string name, string shape) => new(name, shape) { Open = 1 };

    /// <summary>A gate before its activation.</summary>
    public static TapPoint Gate<TActivation>(string name, string shape)
        where TActivation : struct, IActivation
        => new(name, shape) { Open = Opening<TActivation>.Value };

    // Where an activation is 1.
    private static class Opening<TActivation>
        where TActivation : struct, IActivation
    {
        private const int Halvings = 60;

        public static readonly double Value = Find();

        private static double Find()
        {
            (double below, double above) = (0, 64);
            for (int i = 0; i < Halvings; i++)
            {
                double middle = (below + above) / 2;
                (below, above) = TActivation.Reference(middle) < 1 ? (middle, above) : (below, middle);
            }

            return above;
        }
    }
}
