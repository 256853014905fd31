using NanoFold.Engine.Autograd;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Some rows of an op that computes as many numbers for each as a vocabulary has: these exist for a chunk of rows at a time, in the op's scratch, never for all of them. Scratch holds tables
/// [rows, V] and, after them, a number for each row.
/// </summary>
internal readonly struct RowChunk
{
    // Elements of a table.
    private const long Elements = 1 << 22;

    private readonly View _scratch;
    private readonly DType _type;
    private readonly Layout _table;
    private readonly int _start;

    private RowChunk(in View scratch, DType type, int start, int count, int width)
    {
        (_scratch, _type, _start) = (scratch, type, start);
        _table = Layout.Of(count, width);
    }

    /// <summary>The chunks of an op's rows, one after the other.</summary>
    /// <param name="call">Whose scratch holds the tables.</param>
    /// <param name="rows">N.</param>
    /// <param name="width">V.</param>
    /// <param name="type">Of the tables.</param>
    public static Sequence Of(OpCall call, int rows, int width, DType type) => new(call.Scratch, rows, width, type);

    /// <summary>Bytes of scratch for so many tables.</summary>
    public static long Bytes(int tables, int rows, int width, DType type) => (((long)tables * Most(rows, width) * width) + Most(rows, width)) * type.Size();

    /// <summary>Whether it is the first.</summary>
    public bool IsFirst => _start == 0;

    /// <summary>A table, by its number.</summary>
    public View Table(int index) => _scratch.As(_type, _table, index * _table.Count);

    /// <summary>A number for each row, after so many tables.</summary>
    public View Numbers(int tables) => _scratch.As(_type, Layout.Of(_table[0], 1), tables * _table.Count);

    /// <summary>Its rows of [N, C].</summary>
    public View Of(in View all) => all.With(all.Layout.Slice(0, _start, _table[0], out long offset), offset);

    /// <summary>Its part of [N], as a column.</summary>
    public View Column(in View values) => values.With(Layout.Of(_table[0], 1), _start);

    /// <summary>softmax(x Wᵀ) of its rows.</summary>
    /// <param name="backend">Where.</param>
    /// <param name="call">The op's.</param>
    /// <param name="x">The input [N, C].</param>
    /// <param name="weight">The input [V, C].</param>
    /// <param name="y">Gets them.</param>
    public void Softmax(Backend backend, OpCall call, int x, int weight, in View y)
    {
        backend.MatMul(new MatMulArgs { A = Of(call.Input(x)), B = call.Input(weight), TransposeB = true, Y = y, Rounding = call.Rounding });
        backend.Softmax(y, y, 1, default);
    }

    /// <summary>From the gradient of its logits x Wᵀ those of x and of W, where they are wanted: dX = dLogits W, dW += dLogitsᵀ X.</summary>
    /// <param name="backend">Where.</param>
    /// <param name="call">The op's.</param>
    /// <param name="x">The input [N, C].</param>
    /// <param name="weight">The input [V, C].</param>
    /// <param name="gradient">dLogits.</param>
    public void Backward(Backend backend, OpCall call, int x, int weight, in View gradient)
    {
        MatMulArgs dx = new()
        {
            A = gradient, B = call.Input(weight), Y = call.InputGradient(x) is { IsNone: false } all ? Of(all) : default, Accumulate = call.Accumulates(x), Rounding = call.Rounding,
        };
        MatMulArgs dw = new()
        {
            A = gradient, TransposeA = true, B = Of(call.Input(x)), Y = call.InputGradient(weight), Accumulate = !IsFirst || call.Accumulates(weight), Rounding = call.Rounding,
        };
        LinearOp.TogetherWhereWanted(backend, dx, dw);
    }

    private static int Most(int rows, int width) => (int)Math.Clamp(Elements / width, 1, rows);

    /// <summary>Goes through the chunks of an op without allocating.</summary>
    public ref struct Sequence(View scratch, int rows, int width, DType type)
    {
        private readonly int _most = Most(rows, width);
        private int _next;

        public RowChunk Current { get; private set; }

        public readonly Sequence GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_next >= rows)
            {
                return false;
            }

            Current = new RowChunk(scratch, type, _next, Math.Min(_most, rows - _next), width);
            _next += _most;
            return true;
        }
    }
}
