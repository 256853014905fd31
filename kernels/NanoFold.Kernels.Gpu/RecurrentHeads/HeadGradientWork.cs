using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>
/// The gradients of q, k, decay and β for sixteen places, from the states before them, the gradients G of the states after them, what was written (e before β) and its gradient
/// (du): with u = β e, y' = scale · dy and a = β du, dq = S y' + Σ (y' · u_s) k_s, dk = G u − S a + Σ (y'_t · u) q_t − Σ (a_t · u) k_t − Σ (a · u_s) k_s,
/// each product with what decays leave, dβ = du · e, and the decay's from q dq + k (what dk has as reader − as writer), summed from the end.
/// Grid: batch · key head, sixteen places of a span. Heads that share q and k follow one another.
/// </summary>
internal struct HeadGradientWork<T> : IGpuWork<HeadGradientWork<T>>
    where T : unmanaged, IElement<T>
{
    private const int Slice = HeadGradientTiles.Slice;

    public HeadsView<T> Heads;
    public HeadView<T> DY, DQ, DK;
    public PlaceView<T> DDecay, DBeta;

    /// <summary>[B · H, sixteens of a span, DK, DV], and G with one more before.</summary>
    public ArrayView<float> States, Gradients;

    /// <summary>[B · H, places of a span, DV]: e, and du.</summary>
    public ArrayView<float> Written, WrittenGradient;

    /// <summary>[2, B · G, places of a span, DK]: sums of dq and dk over the heads so far.</summary>
    public ArrayView<float> Sums;

    public int First, End, Slots, Groups, AccumulateQ, AccumulateK, AccumulateDecay, AccumulateBeta;

    public static void Run(HeadGradientWork<T> w)
    {
        HeadGradientMemory m = HeadGradientMemory.Allocate();
        PlaceBlock block = PlaceBlock.Allocate();
        int group = Grid.IdxX, batch = group / w.Groups, keyHead = group % w.Groups, first = w.First + Grid.IdxY * PlaceBlock.Places;
        int count = IntrinsicMath.Min(w.End - first, PlaceBlock.Places);
        for (int i = 0; i < w.Heads.GroupHeads; i++)
        {
            int head = keyHead * w.Heads.GroupHeads + i;
            Group.Barrier();
            PlaceBlock.Load(block, w.Heads, batch, head, first, count);
            HeadGradientTiles.Products(w, m, block, batch, head, first, count);
            for (int slice = 0; slice < w.Heads.KeyWidth; slice += Slice)
            {
                Keys(w, m, block, batch, head, i, first, count, slice);
            }

            Group.Barrier();
            if (w.Heads.IsVector == 0 && Group.IdxX == 0 && w.DDecay.Has != 0)
            {
                float sum = 0;
                for (int t = 0; t < PlaceBlock.Places; t++)
                {
                    sum += m.DEnds[t];
                }

                PutDecay(w, block, m.DSums, 0, sum, batch, head, 0, first, count);
            }
        }
    }

    // The gradients of some elements of q and k.
    private static void Keys(in HeadGradientWork<T> w, in HeadGradientMemory m, in PlaceBlock block, int batch, int head, int index, int first, int count, int slice)
    {
        HeadsView<T> heads = w.Heads;
        int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice), keyHead = head / heads.GroupHeads;
        long pair = (long)batch * heads.Heads + head;
        int sixteen = (first - w.First) / PlaceBlock.Places;
        long state = (pair * (w.Slots - 1) + sixteen) * heads.Size, gradient = (pair * w.Slots + sixteen + 1) * heads.Size;
        for (int tile = 0; tile < heads.ValueWidth; tile += Slice)
        {
            int columns = IntrinsicMath.Min(Slice, heads.ValueWidth - tile);
            Group.Barrier();
            HeadGradientTiles.LoadValues(w, m, block, batch, head, first, count, tile);
            HeadGradientTiles.LoadTile(m.S, w.States, state, slice, width, tile, columns, heads.ValueWidth);
            HeadGradientTiles.LoadTile(m.G, w.Gradients, gradient, slice, width, tile, columns, heads.ValueWidth);
            Group.Barrier();
            HeadGradientTiles.AddStates(m, width, tile == 0 ? 1 : 0, heads.Beta.Has);
        }

        Group.Barrier();
        PlaceBlock.LoadRows(m.Q, heads.Q, batch, keyHead, first, count, slice, width, 1f);
        PlaceBlock.LoadRows(m.K, heads.K, batch, keyHead, first, count, slice, width, 1f);
        if (heads.IsVector != 0)
        {
            PlaceBlock.LoadSums(m.Logs, heads, batch, head, first, count, slice, width);
        }

        Group.Barrier();
        for (int i = Group.IdxX; i < width * PlaceBlock.Places; i += Group.DimX)
        {
            int d = i % width, t = i / width;
            Element(w, m, block, batch, keyHead, index, first, count, slice, d, t);
        }

        Group.Barrier();
        if (w.DDecay.Has == 0)
        {
            return;
        }

        if (heads.IsVector != 0)
        {
            for (int d = Group.IdxX; d < width; d += Group.DimX)
            {
                float sum = m.Both[d];
                for (int t = 0; t < PlaceBlock.Places; t++)
                {
                    sum += m.DReader[d * PlaceBlock.Stride + t];
                }

                PutDecay(w, block, m.DQ, d * PlaceBlock.Stride, sum, batch, head, slice + d, first, count);
            }

            return;
        }

        for (int t = Group.IdxX; t < PlaceBlock.Places; t += Group.DimX)
        {
            float given = 0, ends = 0;
            if (slice > 0)
            {
                given = m.DSums[t];
                ends = m.DEnds[t];
            }

            for (int d = 0; d < width; d++)
            {
                given += m.DQ[d * PlaceBlock.Stride + t];
                ends += m.DReader[d * PlaceBlock.Stride + t];
            }

            for (int d = t; d < width; d += PlaceBlock.Places)
            {
                ends += m.Both[d];
            }

            m.DSums[t] = given;
            m.DEnds[t] = ends;
        }
    }

    // One element of q and k at one place; leaves the parts of the decay's gradient in the place of dq and of what keys read.
    private static void Element(
        in HeadGradientWork<T> w, in HeadGradientMemory m, in PlaceBlock block, int batch, int keyHead, int index, int first, int count, int slice, int d, int t)
    {
        int row = d * PlaceBlock.Stride, isVector = w.Heads.IsVector, own = row + t, last = row + PlaceBlock.Places - 1;
        float comes = block.Comes[t], stays = block.Stays[t], passes = block.Passes;
        if (isVector != 0)
        {
            comes *= XMath.Exp(m.Logs[own]);
            stays *= XMath.Exp(m.Logs[last] - m.Logs[own]);
            passes *= XMath.Exp(m.Logs[last]);
        }

        float dq = comes * m.DQ[own], reader = -comes * m.DReader[own], writer = stays * m.DWriter[own], ends = m.K[own] * writer;
        for (int s = 0; s <= t; s++)
        {
            float key = m.K[row + s];
            if (isVector != 0)
            {
                key *= XMath.Exp(m.Logs[own] - m.Logs[row + s]);
            }

            dq += m.Reads[t * PlaceBlock.Places + s] * key;
            reader -= m.Meets[t * PlaceBlock.Places + s] * key;
        }

        for (int later = t; later < count; later++)
        {
            float left = m.Reads[later * PlaceBlock.Places + t] * m.Q[row + later] - m.Meets[later * PlaceBlock.Places + t] * m.K[row + later];
            if (isVector != 0)
            {
                left *= XMath.Exp(m.Logs[row + later] - m.Logs[own]);
            }

            writer += left;
        }

        m.DQ[own] = m.Q[own] * dq + m.K[own] * (reader - writer);
        // The last place also fades all that came in and all that was written before it.
        m.DReader[own] = ends;
        if (t == 0)
        {
            m.Both[d] *= passes;
        }

        if (t < count)
        {
            Put(w, w.DQ, 0, batch, keyHead, index, first + t, slice + d, dq, w.AccumulateQ);
            Put(w, w.DK, 1, batch, keyHead, index, first + t, slice + d, reader + writer, w.AccumulateK);
        }
    }

    // The sum over heads goes out with the last of them.
    private static void Put(in HeadGradientWork<T> w, in HeadView<T> target, int which, int batch, int keyHead, int index, int time, int element, float value, int accumulate)
    {
        if (target.IsNone)
        {
            return;
        }

        if (w.Heads.GroupHeads > 1)
        {
            long at = (((long)which * Grid.DimX + Grid.IdxX) * (w.End - w.First) + time - w.First) * w.Heads.KeyWidth + element;
            if (index > 0)
            {
                value += w.Sums[at];
            }

            if (index < w.Heads.GroupHeads - 1)
            {
                w.Sums[at] = value;
                return;
            }
        }

        long to = target.Row(batch, time, keyHead) + element;
        if (accumulate != 0)
        {
            value += T.Read(target.Memory[to]);
        }

        target.Memory[to] = T.Write(value);
    }

    // Of the decays of sixteen places, from what each gave and what all together did to the state after them.
    private static void PutDecay(in HeadGradientWork<T> w, in PlaceBlock block, ArrayView<float> given, int offset, float sum, int batch, int head, int element, int first, int count)
    {
        for (int t = count - 1; t >= 0; t--)
        {
            int before = 0;
            if (t > 0)
            {
                before = block.Begun[t - 1];
            }

            sum += given[offset + t];
            if (block.Begun[t] != before)
            {
                // Nothing comes over a beginning, whatever its decay.
                sum = 0;
            }

            PlaceView<T>.Put(w.DDecay, batch, first + t, head, element, sum, w.AccumulateDecay);
        }
    }
}
