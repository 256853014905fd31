using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Time;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>
/// The gradients of values and of states, sixteen places at a time from the last to the first: the mirror of <see cref="WalkWork{T}"/>. With y' = scale · dy and G the
/// gradient of the state after the sixteen, du_s = Σ_{t ≥ s} (q_t · k_s) y'_t + Gᵀ k_s − Σ_{t > s} (k_t · k_s) β_t du_t, dv = β du,
/// G ← decay ⊙ G + Σ q y'ᵀ − Σ k dvᵀ, each product with what decays leave. Grid: batch · head, columns of values.
/// </summary>
internal struct ReverseWalkWork<T> : IGpuWork<ReverseWalkWork<T>>
    where T : unmanaged, IElement<T>
{
    private const int Columns = WalkMemory.Columns, Slice = WalkMemory.Slice, Fours = WalkMemory.Fours, Quarter = WalkMemory.Quarter;

    public HeadsView<T> Heads;
    public HeadView<T> DY, DV;
    public StateView<T> DFinal, DInitial;

    /// <summary>[B · H, Slots, DK, DV]: G after each sixteen places of a span from the second on; the first is what goes on to the span before.</summary>
    public ArrayView<float> States;

    /// <summary>[B · H, places of a span, DV]: du.</summary>
    public ArrayView<float> Written;

    /// <summary>A span of places, the last of all or not; where it is the first the gradient of the initial state is written.</summary>
    public int First, End, Slots, IsLast, AccumulateV, AccumulateInitial;

    public static void Run(ReverseWalkWork<T> w)
    {
        WalkMemory m = WalkMemory.Allocate();
        HeadsView<T> heads = w.Heads;
        int pair = Grid.IdxX, batch = pair / heads.Heads, head = pair % heads.Heads;
        int column = Grid.IdxY * Columns, columns = IntrinsicMath.Min(Columns, heads.ValueWidth - column);
        int blocks = (w.End - w.First + PlaceBlock.Places - 1) / PlaceBlock.Places;
        long size = heads.Size, states = (long)pair * w.Slots * size;
        Begin(w, pair, states, states + blocks * size, column, columns);
        for (int i = blocks - 1; i >= 0; i--)
        {
            int first = w.First + i * PlaceBlock.Places, count = IntrinsicMath.Min(w.End - first, PlaceBlock.Places);
            long after = states + (i + 1) * size;
            Group.Barrier();
            PlaceBlock.Load(m.Block, heads, batch, head, first, count);
            for (int slice = 0; slice < heads.KeyWidth; slice += Slice)
            {
                int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice);
                WalkMemory.Score(m, heads, batch, head, first, count, slice, width, 1);
                Read(w, m, after + (long)slice * heads.ValueWidth, width, slice == 0 ? 1 : 0, column, columns);
            }

            PlaceBlock.Fade(m.Block, m.Reads, m.Meets);
            LoadGradient(w, m.Read, batch, head, first, count, column, columns);
            Group.Barrier();
            Solve(w, m, batch, head, first, count, column, columns);
            Group.Barrier();
            Update(w, m, batch, head, first, count, after, after - size, column, columns);
        }

        if (w.First == 0 && w.DInitial.Has != 0)
        {
            Group.Barrier();
            for (int i = Group.IdxX; i < heads.KeyWidth * columns; i += Group.DimX)
            {
                long element = WalkMemory.Element(heads, i, column, columns);
                StateView<T>.Put(w.DInitial, pair * size + element, w.States[states + element], w.AccumulateInitial);
            }
        }
    }

    // What comes from after the span.
    private static void Begin(in ReverseWalkWork<T> w, int pair, long from, long to, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = WalkMemory.Element(w.Heads, i, column, columns);
            float value = 0;
            if (w.IsLast == 0)
            {
                value = w.States[from + element];
            }
            else
            {
                value = StateView<T>.Read(w.DFinal, pair * w.Heads.Size + element);
            }

            w.States[to + element] = value;
        }
    }

    private static void LoadGradient(in ReverseWalkWork<T> w, ArrayView<float> gradient, int batch, int head, int first, int count, int column, int columns)
    {
        for (int i = Group.IdxX; i < PlaceBlock.Places * Columns; i += Group.DimX)
        {
            int j = i % Columns, t = i / Columns;
            float value = 0;
            if (j < columns && t < count)
            {
                value = w.Heads.Scale * T.Read(w.DY.Memory[w.DY.Row(batch, first + t, head) + column + j]);
            }

            gradient[i] = value;
        }
    }

    // What the gradient of the state gives to what is written.
    private static void Read(in ReverseWalkWork<T> w, in WalkMemory m, long state, int width, int isFirst, int column, int columns)
    {
        ArrayView<Vector4<float>> keys = m.K.Cast<Vector4<float>>();
        for (int i = Group.IdxX; i < Fours * Columns; i += Group.DimX)
        {
            int j = i % Columns, four = i / Columns;
            if (j < columns)
            {
                Vector4<float> sum = default;
                for (int d = 0; d < width; d++)
                {
                    float s = w.States[state + (long)d * w.Heads.ValueWidth + column + j];
                    sum = FourPlaces.Fma(keys[d * Quarter + four], s, sum);
                }

                FourPlaces.Put(m.Written, four * 4 * Columns + j, Columns, sum, isFirst);
            }
        }
    }

    // Leaves β du, which is dv, in the place of what keys read.
    private static void Solve(in ReverseWalkWork<T> w, in WalkMemory m, int batch, int head, int first, int count, int column, int columns)
    {
        ArrayView<float> written = m.Written;
        long span = w.End - w.First;
        for (int j = Group.IdxX; j < columns; j += Group.DimX)
        {
            for (int s = PlaceBlock.Places - 1; s >= 0; s--)
            {
                float du = m.Block.Stays[s] * written[s * Columns + j];
                for (int t = s; t < count; t++)
                {
                    du += m.Reads[t * PlaceBlock.Places + s] * m.Read[t * Columns + j];
                }

                if (w.Heads.Beta.Has != 0)
                {
                    for (int t = s + 1; t < count; t++)
                    {
                        du -= m.Meets[t * PlaceBlock.Places + s] * written[t * Columns + j];
                    }
                }

                float dv = m.Block.Beta[s] * du;
                written[s * Columns + j] = dv;
                if (s < count)
                {
                    w.Written[(((long)Grid.IdxX * span) + first - w.First + s) * w.Heads.ValueWidth + column + j] = du;
                    if (!w.DV.IsNone)
                    {
                        long at = w.DV.Row(batch, first + s, head) + column + j;
                        w.DV.Memory[at] = T.Write(w.AccumulateV != 0 ? T.Read(w.DV.Memory[at]) + dv : dv);
                    }
                }
            }
        }
    }

    private static void Update(in ReverseWalkWork<T> w, in WalkMemory m, int batch, int head, int first, int count, long state, long next, int column, int columns)
    {
        HeadsView<T> heads = w.Heads;
        ArrayView<Vector4<float>> queries = m.Q.Cast<Vector4<float>>(), keys = m.K.Cast<Vector4<float>>();
        for (int slice = 0; slice < heads.KeyWidth; slice += Slice)
        {
            int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice);
            WalkMemory.Again(m, heads, batch, head, first, count, slice, width, 0);
            for (int i = Group.IdxX; i < Fours * Columns; i += Group.DimX)
            {
                int j = i % Columns;
                if (j < columns)
                {
                    SixteenPlaces values = SixteenPlaces.Of(m.Read, j, Columns, m.Block.Comes), taken = SixteenPlaces.Of(m.Written, j, Columns, m.Block.Comes);
                    float from = m.Block.Passes;
                    for (int d = i / Columns; d < width; d += Fours)
                    {
                        float factor = from;
                        if (heads.IsVector != 0)
                        {
                            factor *= XMath.Exp(m.Logs[d * PlaceBlock.Stride + PlaceBlock.Places - 1]);
                        }

                        long element = (long)(slice + d) * heads.ValueWidth + column + j;
                        float sum = factor * w.States[state + element];
                        sum += values.Dot(queries, d * Quarter);
                        if (heads.Beta.Has != 0)
                        {
                            sum -= taken.Dot(keys, d * Quarter);
                        }

                        w.States[next + element] = sum;
                    }
                }
            }
        }
    }
}
