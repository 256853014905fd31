using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>
/// Linear layers of one input as one product: [y₁ y₂ ..] = x [W₁; W₂; ..]ᵀ, of which each layer's result is a part, [.., outᵢ] with rows that are further apart. So the
/// gradient of x is one product too, and that of all matrices another. Where the backend asks for it, and all are plain layers whose parameters lie one after the other;
/// otherwise each is a product of its own.
/// </summary>
internal static class JoinedLinear
{
    /// <param name="context">Where it is recorded; caches take results as rows of their own.</param>
    /// <param name="x">[.., in].</param>
    /// <param name="layers">At least one, none of them twice.</param>
    /// <returns>The result of each layer, [.., outᵢ].</returns>
    public static Tensor[] Forward(ForwardContext context, Tensor x, params IReadOnlyList<Linear> layers)
    {
        Tape tape = context.Tape;
        if (!TryJoin(context, layers, out Tensor weight, out Tensor bias))
        {
            return [.. layers.Select(layer => layer.Forward(tape, x))];
        }

        Tensor all = LinearOp.Record(tape, x, weight, bias);
        var results = new Tensor[layers.Count];
        for (int i = 0, start = 0; i < results.Length; start += layers[i++].Outputs)
        {
            results[i] = all.Slice(all.Layout.Rank - 1, start, layers[i].Outputs);
        }

        return results;
    }

    /// <summary>The matrices and biases of layers as one, where a product of them is to be joined.</summary>
    public static bool TryJoin(ForwardContext context, IReadOnlyList<Linear> layers, out Tensor weight, out Tensor bias)
    {
        (weight, bias) = (default, default);
        return context.Tape.Backend.JoinsProducts && context.Cache is null && Plain(context.Tape, layers) is { } plain && TryJoin(context.Tape, plain, out weight, out bias);
    }

    private static PlainLinear[]? Plain(Tape tape, IReadOnlyList<Linear> layers)
    {
        PlainLinear[] plain = [.. layers.Select(layer => layer.PlainOn(tape)).OfType<PlainLinear>()];
        return plain.Length == layers.Count && plain.Select(layer => layer.BiasParameter is null).Distinct().Count() == 1 ? plain : null;
    }

    // The matrices are joined last: a join of parameters stays.
    private static bool TryJoin(Tape tape, PlainLinear[] layers, out Tensor weight, out Tensor bias)
    {
        bool hasBias = layers[0].BiasParameter is not null;
        bias = hasBias ? tape.UseJoined([.. layers.Select(layer => layer.BiasParameter!)]) : default;
        weight = hasBias && bias.IsNone ? default : tape.UseJoined([.. layers.Select(layer => layer.WeightParameter)]);
        return !weight.IsNone;
    }
}
