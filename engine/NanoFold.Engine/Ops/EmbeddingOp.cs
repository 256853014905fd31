using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>y[i, :] = table[ids[i], :]. table [V, C], ids Int32 [..], y [.., C]. dTable[ids[i], :] += dy[i, :].</summary>
public sealed class EmbeddingOp : Op
{
    public override string Name => "embedding";

    public static Tensor Record(Tape tape, Tensor table, Tensor ids)
    {
        if (table.Layout.Rank != 2 || ids.Type != DType.Int32)
        {
            throw new ArgumentException($"embedding: table {table} and ids {ids}; expected [V, C] and Int32 [..]");
        }

        return tape.Record(new EmbeddingOp(), [table, ids], Layout.Of([.. ids.Layout.ToShape(), table[1]]));
    }

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 1;

    public override void Forward(Backend backend, OpCall call) =>
        backend.Gather(call.Input(0), FlatIds(call.Input(1)), FlatRows(call.Output(0)));

    public override PreparedCall? Prepare(Backend backend, OpCall call) =>
        backend.PrepareGather(call.Input(0), FlatIds(call.Input(1)), FlatRows(call.Output(0)));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, 0);
        backend.ScatterAdd(FlatRows(call.OutputGradient(0)), FlatIds(call.Input(1)), call.InputGradient(0));
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("embedding [19, 7]", [OpInput.Weight(19, 7), OpInput.Integers(19, 3, 11)],
            (tape, t) => Record(tape, t[0], t[1]),
            a => [.. a[1].SelectMany(id => Enumerable.Range(0, 7).Select(c => a[0][(int)id * 7 + c]))]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        int width = s.Width;
        yield return new OpCase($"embedding {s.Name} [{s.Vocab}, {width}] of [{s.Tokens}]", [OpInput.Weight(s.Vocab, width), OpInput.Integers(s.Vocab, s.Tokens)],
            (tape, t) => Record(tape, t[0], t[1]),
            a => [.. a[1].SelectMany(id => Enumerable.Range(0, width).Select(c => a[0][(int)id * width + c]))]);
    }

    private static View FlatIds(in View ids) => ids.With(ids.Layout.Reshape(checked((int)ids.Count)));

    private static View FlatRows(in View rows) => rows.With(rows.Layout.Reshape(checked((int)rows.Layout.Rows), rows.Layout[-1]));
}
