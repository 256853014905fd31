using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>A case and what its passes take, of the whole batch.</summary>
/// <param name="Case">Its shape.</param>
/// <param name="ForwardSeconds">Median of the forward pass.</param>
/// <param name="BackwardSeconds">What forward and backward take more than that, by medians.</param>
/// <param name="Bytes">q, k, v and their gradients; the result and its gradient, what is kept for the backward pass, scratch.</param>
public sealed record AttentionResult(AttentionCase Case, double ForwardSeconds, double BackwardSeconds, long Bytes)
{
    public double FlopsPerSecond => Case.Flops / (ForwardSeconds + BackwardSeconds);

    /// <summary>Time for a sequence over T²: constant where all pairs are visible and cost the same.</summary>
    public double SecondsPerSquare => (ForwardSeconds + BackwardSeconds) / Case.Batch / ((double)Case.Context * Case.Context);

    /// <summary>Memory for a token: constant where T × T is never held.</summary>
    public double BytesPerToken => (double)Bytes / ((long)Case.Batch * Case.Context);

    /// <summary>Times the recorded op, forward alone and both passes by turns.</summary>
    /// <param name="shape">What is computed.</param>
    /// <param name="backend">Where.</param>
    /// <param name="type">Of q, k, v and the result.</param>
    public static AttentionResult Measure(AttentionCase shape, Backend backend, DType type = DType.Float32)
    {
        using var store = new ParameterStore(backend);
        Parameter Operand(string name, int heads) =>
            store.Add(name, Layout.Of(shape.Batch, shape.Context, heads, shape.HeadDim), ParameterRole.Matrix, Initializer.Normal(1));
        Parameter[] operands = [Operand("q", shape.Heads), Operand("k", shape.KvHeads), Operand("v", shape.KvHeads)];
        store.Allocate(seed: 1);
        if (type.Is16Bit())
        {
            store.Shadow(type);
        }

        using Plan forward = Record(shape, store, operands, type, training: false), both = Record(shape, store, operands, type, training: true);
        using DeviceBuffer arena = backend.Allocate(Math.Max(forward.ArenaBytes, both.ArenaBytes));
        forward.Bind(arena);
        both.Bind(arena);
        double[] seconds = AlternatingTimer.Medians(backend, forward.Run, both.Run);
        // The clock's noise must not make a short backward pass negative.
        double backward = Math.Max(0, seconds[1] - seconds[0]);
        return new AttentionResult(shape, seconds[0], backward, both.ArenaBytes + ((store.Elements + store.TrainedElements) * sizeof(float)));
    }

    private static Plan Record(AttentionCase shape, ParameterStore store, Parameter[] operands, DType type, bool training)
    {
        var tape = new Tape(store.Backend, store, type, training);
        Tensor y = AttentionOp.Record(
            tape, tape.Use(operands[0]), tape.Use(operands[1]), tape.Use(operands[2]), 1 / Math.Sqrt(shape.HeadDim), new CausalMask(shape.Window));
        if (training)
        {
            // The sum of the result: its gradient is 1 everywhere, which costs no op of its own.
            tape.AddLoss(y);
        }

        return new Plan(tape);
    }
}
