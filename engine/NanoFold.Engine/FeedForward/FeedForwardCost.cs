using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>Counts that the feed-forwards share.</summary>
internal static class FeedForwardCost
{
    public static bool IsGated(Activation activation) => activation is Activation.SwiGlu or Activation.GeGlu;

    /// <summary>Weights of one feed-forward: up and down, and the gate where there is one.</summary>
    public static long Weights(ModelShape model, int hidden, Activation activation)
        => (IsGated(activation) ? 3L : 2L) * model.Width * hidden;

    /// <summary>The weights and their biases.</summary>
    public static long Parameters(ModelShape model, int hidden, Activation activation)
        => Weights(model, hidden, activation) + (model.Bias ? ((IsGated(activation) ? 2L : 1L) * hidden) + model.Width : 0);

    /// <summary>4 · C, or with a gate 8/3 · C in the nearest multiple of 8: the same number of parameters.</summary>
    public static int DefaultHidden(int width, Activation activation)
        => IsGated(activation) ? Math.Max(8, (int)Math.Round(width / 3.0, MidpointRounding.AwayFromZero) * 8) : 4 * width;
}
