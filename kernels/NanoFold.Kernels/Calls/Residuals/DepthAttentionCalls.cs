using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Residuals;

/// <summary>
/// Attention over depth, token by token: y = Σ_i p_i v_i with p = softmax_i(⟨query, RMSNorm(v_i) ⊙ gain⟩) over k values of N tokens and C channels; all
/// contiguous.
/// </summary>
/// <param name="Values">k views of one type, [N, C] each.</param>
/// <param name="Query">[C].</param>
/// <param name="Gain">[C].</param>
/// <param name="Weights">Gets p, [N, k], in the type of sums of v.</param>
/// <param name="Y">[N, C].</param>
/// <param name="Epsilon">What RMSNorm adds to the mean square.</param>
public readonly record struct DepthAttentionCall(ReadOnlyMemory<View> Values, View Query, View Gain, View Weights, View Y, double Epsilon) : IKernelCall<DepthAttentionCall>
{
    public static string Name => "depth-attention";

    // A square, a product with the query and one with the weight, each with its sum.
    public KernelCost Cost => new(6.0 * Values.Length * Y.Count, Operands.Bytes(this));

    public void Check()
    {
        DepthAttentionChecks.Inputs(Name, Values.Span, Query, Gain, Weights, ("y", Y));
        Checks.Writable(Name, "y", Y);
    }

    public DepthAttentionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(DepthAttentionChecks.Visit(ref visitor, "value", Values, Access.Read, default), visitor.Visit("query", Query, Access.Read), visitor.Visit("gain", Gain, Access.Read),
            visitor.Visit("weights", Weights, Access.Write), visitor.Visit("y", Y, Access.Write), Epsilon);
}

/// <summary>
/// The gradient of <see cref="DepthAttentionCall"/>. With w = query ⊙ gain, r_i the rsqrt of v_i and ds_i = p_i (⟨dy, v_i⟩ − Σ_j p_j ⟨dy, v_j⟩):
/// dv_i = p_i dy + ds_i r_i (w − v_i r_i² ⟨w, v_i⟩ / C); with dw = Σ ds_i r_i v_i over tokens and values, dQuery += dw ⊙ gain, dGain += dw ⊙ query.
/// </summary>
/// <param name="Values">As there.</param>
/// <param name="Query">As there.</param>
/// <param name="Gain">As there.</param>
/// <param name="Weights">As the forward call left them.</param>
/// <param name="DY">[N, C].</param>
/// <param name="DValues">As the values, none where one is not wanted.</param>
/// <param name="Accumulate">Whether each dv is added to, [k].</param>
/// <param name="DQuery">[C] in the type of sums, added to; none where it is not wanted.</param>
/// <param name="DGain">[C] in the type of sums, added to; none where it is not wanted.</param>
/// <param name="Scratch">For the sums over tokens, cut by shape.</param>
/// <param name="Epsilon">As there.</param>
public readonly record struct DepthAttentionBackwardCall(
    ReadOnlyMemory<View> Values, View Query, View Gain, View Weights, View DY, ReadOnlyMemory<View> DValues, ReadOnlyMemory<bool> Accumulate, View DQuery, View DGain, View Scratch,
    double Epsilon)
    : IKernelCall<DepthAttentionBackwardCall>
{
    public static string Name => "depth-attention-backward";

    // Three products with their sums, and then those that make dv and dw.
    public KernelCost Cost => new(14.0 * Values.Length * DY.Count, Operands.Bytes(this));

    public bool HasSums => !DQuery.IsNone || !DGain.IsNone;

    public void Check()
    {
        DepthAttentionChecks.Inputs(Name, Values.Span, Query, Gain, Weights, ("dy", DY));
        if (DValues.Length != Values.Length || Accumulate.Length != Values.Length)
        {
            Checks.Throw(Name, $"{DValues.Length} gradients and {Accumulate.Length} flags of {Values.Length} values");
        }

        for (int i = 0; i < DValues.Length; i++)
        {
            View gradient = DValues.Span[i];
            if (!gradient.IsNone)
            {
                DepthAttentionChecks.Value(Name, "dValue", i, gradient, DY);
            }
        }

        RowCheck.OptionalVector(Name, "dQuery", DQuery, DY.Type.Sum(), Query.Count);
        RowCheck.OptionalVector(Name, "dGain", DGain, DY.Type.Sum(), Gain.Count);
    }

    public DepthAttentionBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(DepthAttentionChecks.Visit(ref visitor, "value", Values, Access.Read, default), visitor.Visit("query", Query, Access.Read), visitor.Visit("gain", Gain, Access.Read),
            visitor.Visit("weights", Weights, Access.Read), visitor.Visit("dy", DY, Access.Read),
            DepthAttentionChecks.Visit(ref visitor, "dValue", DValues, Access.Write, Accumulate), Accumulate,
            visitor.Visit("dQuery", DQuery, Access.Update), visitor.Visit("dGain", DGain, Access.Update), visitor.Visit("scratch", Scratch, Access.Scratch), Epsilon);
}

internal static class DepthAttentionChecks
{
    public static void Inputs(string op, ReadOnlySpan<View> values, in View query, in View gain, in View weights, (string Name, View View) y)
    {
        RowCheck.Matrix(op, y.Name, y.View);
        if (values.Length == 0 || !y.View.Layout.IsContiguous)
        {
            RowCheck.Fail(op, y.Name, y.View, "contiguous [N, C], of at least one value");
        }

        for (int i = 0; i < values.Length; i++)
        {
            Value(op, "value", i, values[i], y.View);
        }

        RowCheck.Vector(op, "query", query, y.View.Type, y.View.Layout[1]);
        RowCheck.Vector(op, "gain", gain, y.View.Type, y.View.Layout[1]);
        RowCheck.Vector(op, "weights", weights, y.View.Type.Sum(), (long)y.View.Layout[0] * values.Length);
    }

    public static void Value(string op, string name, int index, in View view, in View y)
    {
        if (view.IsNone || view.Type != y.Type || view.Count != y.Count || !view.Layout.IsContiguous || view.Offset + view.Count > view.Buffer.Bytes / view.Type.Size())
        {
            Checks.Throw(op, $"{name} {index} is {view}, expected {y.Count} contiguous elements of {y.Type}");
        }
    }

    /// <summary>The views that a visitor makes of some.</summary>
    public static ReadOnlyMemory<View> Visit<TVisitor>(ref TVisitor visitor, string name, ReadOnlyMemory<View> views, Access access, ReadOnlyMemory<bool> accumulate)
        where TVisitor : struct, IOperandVisitor
    {
        var visited = new View[views.Length];
        for (int i = 0; i < visited.Length; i++)
        {
            visited[i] = visitor.Visit($"{name} {i}", views.Span[i], accumulate.Length > 0 && accumulate.Span[i] ? Access.Update : access);
        }

        return visited;
    }
}
