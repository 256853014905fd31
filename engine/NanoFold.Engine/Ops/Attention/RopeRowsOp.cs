using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>Rows of a table of rotary positions while decoding, where the length of a text decides its frequencies: see <see cref="RopeRowsCall"/>. No gradient.</summary>
public sealed class RopeRowsOp(IKernel<RopeRowsCall> kernel, int first, double factor) : Op
{
    public override string Name => "rope-rows";

    /// <param name="tape">Where to record.</param>
    /// <param name="turns">[N, R], each row of <see cref="RopeTable.Turns"/>: of lengths up to <paramref name="first"/>, and of each length after it.</param>
    /// <param name="positions">Position of each row's first token, Int32 [B].</param>
    /// <param name="lengths">Tokens of each row's text, Int32 [B].</param>
    /// <param name="time">T, the tokens of a row.</param>
    /// <param name="first">The length up to which the first row serves.</param>
    /// <param name="factor">On cosines and sines.</param>
    /// <returns>[B · T, R], of the type of sums.</returns>
    public static Tensor Record(Tape tape, Tensor turns, Tensor positions, Tensor lengths, int time, int first, double factor) => tape.Record(
        new RopeRowsOp(tape.Backend.Require<RopeRowsCall>(), first, factor), [turns, positions, lengths], [(Layout.Of(checked(positions[0] * time), turns[1]), tape.Type.Sum())])[0];

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new RopeRowsCall
    {
        Turns = call.Input(0),
        Positions = call.Input(1),
        Lengths = call.Input(2),
        Y = call.Output(0),
        First = first,
        Factor = factor,
    });

    internal static IEnumerable<OpCase> Cases()
    {
        yield return Case("rope-rows [6, 4]", 3, [0, 900], [2, 903]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return Case($"rope-rows {s.Name} [{s.Batch}, {s.HeadDim}]", 1, [.. Enumerable.Range(0, s.Batch)], [.. Enumerable.Range(1, s.Batch)], s.HeadDim);
    }

    // Row 0 for up to 2 tokens, row 1 for more.
    private static OpCase Case(string name, int time, double[] positions, double[] lengths, int width = 4)
    {
        double[] few = RopeTable.Frequencies(width, 50), many = [.. few.Select(f => f / 3)];
        return new OpCase(
            name,
            [
                new OpInput([2, width]) { Values = [.. RopeTable.Turns(few), .. RopeTable.Turns(many)], IsTable = true },
                new OpInput([positions.Length]) { IsInteger = true, Values = positions }, new OpInput([lengths.Length]) { IsInteger = true, Values = lengths },
            ],
            (tape, x) => Record(tape, x[0], x[1], x[2], time, first: 2, factor: 1.5),
            _ =>
            [
                .. from b in Enumerable.Range(0, positions.Length)
                   from t in Enumerable.Range(0, time)
                   from i in Enumerable.Range(0, width)
                   let angle = (positions[b] + t) * (lengths[b] > 2 ? many : few)[i % (width / 2)]
                   select 1.5 * (i < width / 2 ? Math.Cos(angle) : Math.Sin(angle)),
            ])
        {
            CheckGradient = false,
        };
    }
}
