namespace NanoFold.Kernels.Calls.Time;

/// <summary>The products of recurrent cells as matrix products of a backend; with heads they are batches over gates and heads.</summary>
internal static class RecurrentProducts
{
    /// <summary>y [B, G · N] = state [B, N] · weight [G · N, D]ᵀ, head by head.</summary>
    public static MatMulArgs Hidden(in View state, in View weight, in View y, int gates)
    {
        int batch = state.Layout[0], depth = weight.Layout[1], heads = state.Layout[1] / depth;
        if (heads == 1)
        {
            return new MatMulArgs { A = state, B = weight, TransposeB = true, Y = y };
        }

        return new MatMulArgs
        {
            A = state.With(state.Layout.SplitLast(heads).Permute(1, 0, 2).BroadcastTo(Layout.Of(gates, heads, batch, depth))),
            B = weight.With(weight.Layout.Reshape(gates, heads, depth, depth)),
            TransposeB = true,
            Y = y.With(y.Layout.SplitLast(gates).SplitLast(heads).Permute(1, 2, 0, 3)),
        };
    }

    /// <summary>Products that <see cref="Before"/> is made of: one, or with heads one a gate.</summary>
    public static int BackwardCount(in View weight, int width, int gates) => weight.Layout[1] == width ? 1 : gates;

    /// <summary>y [B, N] = hidden [B, G · N] · weight [G · N, D], head by head; with heads what one gate brings, added to that of those before it.</summary>
    public static MatMulArgs Before(in View hidden, in View weight, in View y, int gates, int gate)
    {
        int depth = weight.Layout[1], heads = y.Layout[1] / depth;
        if (heads == 1)
        {
            return new MatMulArgs { A = hidden, B = weight, Y = y };
        }

        Layout a = hidden.Layout.SplitLast(gates).Select(1, gate, out long from).SplitLast(heads).Permute(1, 0, 2);
        Layout b = weight.Layout.Reshape(gates, heads, depth, depth).Select(0, gate, out long weights);
        return new MatMulArgs { A = hidden.With(a, from), B = weight.With(b, weights), Y = y.With(y.Layout.SplitLast(heads).Permute(1, 0, 2)), Accumulate = gate > 0 };
    }

    /// <summary>dWeight [G · N, D] += hidden [rows, G · N]ᵀ · before [rows, N], head by head.</summary>
    public static MatMulArgs Weight(in View hidden, in View before, in View dWeight, int gates)
    {
        int rows = before.Layout[0], depth = dWeight.Layout[1], heads = before.Layout[1] / depth;
        if (heads == 1)
        {
            return new MatMulArgs { A = hidden, TransposeA = true, B = before, Y = dWeight, Accumulate = true };
        }

        return new MatMulArgs
        {
            A = hidden.With(hidden.Layout.SplitLast(gates).SplitLast(heads).Permute(1, 2, 0, 3)),
            TransposeA = true,
            B = before.With(before.Layout.SplitLast(heads).Permute(1, 0, 2).BroadcastTo(Layout.Of(gates, heads, rows, depth))),
            Y = dWeight.With(dWeight.Layout.Reshape(gates, heads, depth, depth)),
            Accumulate = true,
        };
    }
}
