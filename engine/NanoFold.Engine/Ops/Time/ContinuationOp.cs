using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>Real numbers [B, T] that say where a row or a document begins, 0, and where a token goes on from the one before it, 1: see <see cref="ContinuationCall"/>. No gradient.</summary>
public sealed class ContinuationOp(IKernel<ContinuationCall> kernel) : Op
{
    private const int Documents = 0, Positions = 1;

    public override string Name => "continuation";

    /// <param name="tape">Where to record.</param>
    /// <param name="batch">B.</param>
    /// <param name="time">T.</param>
    /// <param name="documents">Document of each token, Int32 [B, T], or none.</param>
    /// <param name="positions">Position of each row's first token, Int32 [B], or none for 0.</param>
    public static Tensor Record(Tape tape, int batch, int time, Tensor documents = default, Tensor positions = default) =>
        tape.Record(new ContinuationOp(tape.Backend.Require<ContinuationCall>()), [documents, positions], Layout.Of(batch, time));

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        kernel.Run(new ContinuationCall { Y = call.Output(0), Documents = call.Input(Documents), Positions = call.Input(Positions) });

    internal static IEnumerable<OpCase> Cases()
    {
        double[] documents = [0, 0, 1, 1, 1, 2, 5, 5, 5, 5, 6, 6], positions = [0, 7];
        yield return Case("continuation of rows [2, 6]", (tape, _) => Record(tape, 2, 6), [0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1]);
        yield return Case("continuation of documents [2, 6]", (tape, x) => Record(tape, 2, 6, x[0]), [0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1]);
        yield return Case("continuation while decoding [2, 6]", (tape, x) => Record(tape, 2, 6, default, x[1]), [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);

        OpCase Case(string name, Func<Tape, Tensor[], OpOutputs> record, double[] expected) => new(
            name, [new OpInput([2, 6]) { IsInteger = true, Values = documents }, new OpInput([2]) { IsInteger = true, Values = positions }], record, _ => expected)
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"continuation {s.Name} [{s.Batch}, {s.Time}]", [OpInput.Integers(3, s.Batch, s.Time)],
            (tape, x) => Record(tape, s.Batch, s.Time, x[0]), v => [.. v[0].Select((document, i) => i % s.Time > 0 && document == v[0][i - 1] ? 1.0 : 0)])
        { CheckGradient = false };
    }
}
