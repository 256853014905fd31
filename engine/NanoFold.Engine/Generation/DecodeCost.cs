using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Generation;

/// <summary>What writing one token must read from memory.</summary>
public static class DecodeCost
{
    /// <summary>
    /// Bytes per token in float32, by a dry run of one step: every weight once for the whole batch (of the embedding a row, unless it is the head too; of
    /// experts no more than tokens are sent to) and the cache of the token's own sequence. Activations, which stay in a processor's caches, are not counted.
    /// </summary>
    /// <param name="model">Its vocabulary known.</param>
    /// <param name="keys">Tokens that it sees, its own included.</param>
    /// <param name="batch">Sequences that are written at once.</param>
    public static double BytesPerToken(ModelConfig model, int keys, int batch)
    {
        using var dry = new DryRun();
        return BytesPerToken(dry, model.Resolve(), new SeedSource(0), keys, batch);
    }

    /// <summary>The same of a model that is there, whose weights may have smaller types.</summary>
    /// <inheritdoc cref="BytesPerToken(ModelConfig, int, int)"/>
    public static double BytesPerToken(Transformer model, int keys, int batch)
    {
        using var dry = new DryRun();
        return BytesPerToken(dry, model.Config, new TypesOf(model.Store), keys, batch);
    }

    private static double BytesPerToken(DryRun dry, ModelConfig model, IParameterSource source, int keys, int batch)
    {
        // A cache for as many keys as are seen is full.
        using var transformer = new Transformer(model with { Context = Math.Min(keys, model.Context) }, dry.Backend, source, trains: null);
        using DecodeCache cache = transformer.NewCache(batch, chunk: 1);
        using var inputs = new DecodeInputs(dry.Backend, batch, largestChunk: 1);
        var tape = new Tape(dry.Backend);
        inputs.RecordOn(tape, transformer, cache, chunk: 1);
        return dry.Of(new Plan(tape)).Sum(call => BytesRead(tape, call.Step.Call!.Node, call.Cost)) / batch;
    }

    // Nothing but the types of another store.
    private sealed class TypesOf(ParameterStore store) : IHoldingSource
    {
        public HeldValues? TryHold(Parameter parameter) => store[parameter.Name].Held is { } held && parameter.Layout.SameShape(store[parameter.Name].Layout)
            ? new HeldValues(new NullBuffer(held.Type.Bytes(parameter.Layout.Count)), held.Type)
            : null;

        public bool TryFill(StoredTensor tensor) => true;
    }

    // What an op moves besides activations, where it has operands of another kind.
    private static double BytesRead(Tape tape, Node node, in KernelCost cost)
    {
        Tensor[] operands = [.. node.Inputs.Concat(node.Outputs).Where(tensor => !tensor.IsNone)];
        Tensor[] activations = [.. operands.Where(tensor => tape.Values[tensor.Id].Kind == ValueKind.Activation)];
        return activations.Length < operands.Length ? cost.Bytes - activations.Sum(tensor => tensor.Layout.Count * tensor.Type.Size()) : 0;
    }
}
