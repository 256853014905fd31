using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>
/// How parameters start, in one table:
/// <list type="table">
/// <item><term>token embedding</term><description>normal, σ = 0.02 where tied to the head, otherwise 2/√C, with <c>mup</c> of the base width</description></item>
/// <item><term>read-in of features</term><description>normal, σ = 2/√(C · F), with <c>mup</c> of the base width</description></item>
/// <item><term>learned positions</term><description>normal, σ = 0.02</description></item>
/// <item><term>matrices read from a normed stream (q, k, v, gate, up, router)</term><description>normal, σ = 1/√fan-in</description></item>
/// <item><term>matrices that write to the stream (o, down)</term><description>scaled: normal, σ = 1/√fan-in / √(2L) (GPT-2); zero: 0, every block begins as the identity</description></item>
/// <item><term>head, read-out</term><description>scaled: normal, σ = 0.02; zero: 0, every token begins equally likely, at a loss of ln V, every value at 0</description></item>
/// <item><term>routers and their like, beside the above</term><description>with <c>mup</c> σ/√m, m the width over the base width</description></item>
/// <item><term>attention gates</term><description>0, so that every gate starts half open</description></item>
/// <item><term>gains</term><description>1, as their distance from it 0</description></item>
/// <item><term>biases</term><description>0</description></item>
/// </list>
/// </summary>
public static class Initialization
{
    public static Initializer Embedding(ModelShape model) => Initializer.Normal(model.Tied ? 0.02 : 2 / Math.Sqrt(model.Parametrization.EmbeddingWidth(model.Width)));

    /// <summary>Of features whose squares have a mean of 1 it makes what an embedding begins with.</summary>
    public static Initializer ReadIn(ModelShape model) => Initializer.Normal(2 / Math.Sqrt((double)model.Parametrization.EmbeddingWidth(model.Width) * model.Inputs));

    public static Initializer Positions => Initializer.Normal(0.02);

    public static Initializer Input(int fanIn) => Initializer.Normal(1 / Math.Sqrt(fanIn));

    public static Initializer Output(int fanIn, ModelShape model) => IsZero(model)
        ? Initializer.Zero
        : Initializer.Normal(1 / Math.Sqrt(fanIn) / Math.Sqrt(2 * model.Layers));

    public static Initializer Head(ModelShape model) => IsZero(model) ? Initializer.Zero : Initializer.Normal(0.02);

    public static Initializer Gate => Initializer.Zero;

    public static Initializer Gain(bool fromOne) => fromOne ? Initializer.Zero : Initializer.One;

    private static bool IsZero(ModelShape model) => model.Initialization == InitializationKind.Zero;
}
