using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Time;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>
/// Recurrent heads forward, sixteen places at a time: scores inside of them, what the state gives to them, what is written (by the delta rule a triangular system, column by
/// column), the state after them. A group has one head and 64 columns of its values; columns do not meet.
/// Grid: batch · head, columns, stretch of places.
/// </summary>
internal struct WalkWork<T> : IGpuWork<WalkWork<T>>
    where T : unmanaged, IElement<T>
{
    private const int Columns = WalkMemory.Columns, Slice = WalkMemory.Slice, Fours = WalkMemory.Fours, Quarter = WalkMemory.Quarter;

    public HeadsView<T> Heads;
    public HeadView<T> Y;

    /// <summary>A state of 16 bits is copied there at the end.</summary>
    public StateView<T> Initial, Final;

    /// <summary>[B · H, Slots, DK, DV]: the state that goes on; or with <see cref="KeepsAll"/> that before each sixteen places of a span.</summary>
    public ArrayView<float> States;

    /// <summary>[B · H, chunks, DK, DV]: states before each chunk of places.</summary>
    public ArrayView<float> Kept;

    /// <summary>[B · H, places of a span, DV]: what is written, before β.</summary>
    public ArrayView<float> Written;

    /// <summary>Places from First on in stretches of Length, up to End; a kept state each Chunk.</summary>
    public int First, Length, End, Chunk, Chunks, Slots;

    /// <summary>
    /// The state stands in <see cref="States"/> already; a state comes first; the last one is wanted; kept states are written; states and what is written of a
    /// span are.
    /// </summary>
    public int IsInPlace, HasInitial, Goes, Keeps, KeepsAll;

    public static void Run(WalkWork<T> w)
    {
        WalkMemory m = WalkMemory.Allocate();
        HeadsView<T> heads = w.Heads;
        int pair = Grid.IdxX, batch = pair / heads.Heads, head = pair % heads.Heads;
        int column = Grid.IdxY * Columns, columns = IntrinsicMath.Min(Columns, heads.ValueWidth - column);
        int start = w.First + Grid.IdxZ * w.Length, stop = IntrinsicMath.Min(start + w.Length, w.End), end = IntrinsicMath.Min(stop, Seams<T>.Count(heads.Seams, batch));
        long size = heads.Size, state = (long)pair * w.Slots * size;
        int hasState = w.HasInitial;
        if (w.KeepsAll != 0)
        {
            state += (start - w.First) / PlaceBlock.Places * size;
            CopyIn(w, w.Kept, ((long)pair * w.Chunks + start / w.Chunk) * size, state, column, columns);
            hasState = 1;
        }
        else if (w.HasInitial != 0 && w.IsInPlace == 0)
        {
            TakeInitial(w, pair, state, column, columns);
        }

        if (w.Keeps != 0)
        {
            Group.Barrier();
            Keep(w, pair, 0, state, hasState, column, columns);
        }

        for (int first = start; first < stop; first += PlaceBlock.Places)
        {
            int places = IntrinsicMath.Min(stop - first, PlaceBlock.Places), count = IntrinsicMath.Clamp(end - first, 0, places);
            Group.Barrier();
            PlaceBlock.Load(m.Block, heads, batch, head, first, count);
            for (int slice = 0; slice < heads.KeyWidth; slice += Slice)
            {
                int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice);
                WalkMemory.Score(m, heads, batch, head, first, count, slice, width, 0);
                Read(w, m, state + (long)slice * heads.ValueWidth, width, hasState, slice == 0 ? 1 : 0, column, columns);
            }

            PlaceBlock.Fade(m.Block, m.Reads, m.Meets);
            Group.Barrier();
            Solve(w, m, batch, head, first, count, column, columns);
            Group.Barrier();
            if (w.KeepsAll == 0)
            {
                Write(w, m, batch, head, first, places, count, column, columns);
            }

            // The last places of a stretch leave no state behind that somebody wants, but where it is asked for.
            long next = w.KeepsAll != 0 ? state + size : state;
            bool goesOn = first + PlaceBlock.Places < stop, isKept = w.Keeps != 0 && (first + PlaceBlock.Places) % w.Chunk == 0 && goesOn;
            if (goesOn || w.Goes != 0)
            {
                long kept = isKept ? ((long)pair * w.Chunks + (first + PlaceBlock.Places) / w.Chunk) * size : -1L;
                Update(w, m, batch, head, first, count, state, next, hasState, column, columns, kept);
                hasState = 1;
            }

            state = next;
        }

        if (w.Final.Has != 0)
        {
            Group.Barrier();
            PutFinal(w, pair, state, column, columns);
        }
    }

    // What the state gives to queries, and by the delta rule to keys.
    private static void Read(in WalkWork<T> w, in WalkMemory m, long state, int width, int hasState, int isFirst, int column, int columns)
    {
        ArrayView<Vector4<float>> queries = m.Q.Cast<Vector4<float>>(), keys = m.K.Cast<Vector4<float>>();
        int valueWidth = w.Heads.ValueWidth, isDelta = w.Heads.Beta.Has;
        for (int i = Group.IdxX; i < Fours * Columns; i += Group.DimX)
        {
            int j = i % Columns, four = i / Columns;
            if (j < columns)
            {
                Vector4<float> y = default, r = default;
                if (hasState != 0)
                {
                    for (int d = 0; d < width; d++)
                    {
                        float s = w.States[state + (long)d * valueWidth + column + j];
                        y = FourPlaces.Fma(queries[d * Quarter + four], s, y);
                        if (isDelta != 0)
                        {
                            r = FourPlaces.Fma(keys[d * Quarter + four], s, r);
                        }
                    }
                }

                FourPlaces.Put(m.Read, four * 4 * Columns + j, Columns, y, isFirst);
                FourPlaces.Put(m.Written, four * 4 * Columns + j, Columns, r, isFirst);
            }
        }
    }

    // Leaves what is written in the place of what keys read: v, or β (v − Sᵀ k).
    private static void Solve(in WalkWork<T> w, in WalkMemory m, int batch, int head, int first, int count, int column, int columns)
    {
        ArrayView<float> written = m.Written;
        for (int j = Group.IdxX; j < columns; j += Group.DimX)
        {
            for (int t = 0; t < PlaceBlock.Places; t++)
            {
                float u = 0;
                if (t < count)
                {
                    u = T.Read(w.Heads.V.Memory[w.Heads.V.Row(batch, first + t, head) + column + j]);
                    if (w.Heads.Beta.Has != 0)
                    {
                        u -= m.Block.Comes[t] * written[t * Columns + j];
                        for (int s = 0; s < t; s++)
                        {
                            u -= m.Meets[t * PlaceBlock.Places + s] * written[s * Columns + j];
                        }
                    }

                    if (w.KeepsAll != 0)
                    {
                        long span = w.End - w.First;
                        w.Written[((Grid.IdxX * span) + first - w.First + t) * w.Heads.ValueWidth + column + j] = u;
                    }
                }

                written[t * Columns + j] = m.Block.Beta[t] * u;
            }
        }
    }

    private static void Write(in WalkWork<T> w, in WalkMemory m, int batch, int head, int first, int places, int count, int column, int columns)
    {
        for (int i = Group.IdxX; i < places * Columns; i += Group.DimX)
        {
            int j = i % Columns, t = i / Columns;
            if (j < columns)
            {
                float y = 0;
                if (t < count)
                {
                    y = m.Block.Comes[t] * m.Read[t * Columns + j];
                    for (int s = 0; s <= t; s++)
                    {
                        y += m.Reads[t * PlaceBlock.Places + s] * m.Written[s * Columns + j];
                    }
                }

                w.Y.Memory[w.Y.Row(batch, first + t, head) + column + j] = T.Write(w.Heads.Scale * y);
            }
        }
    }

    // S ← decay ⊙ S + Σ k uᵀ with what is left of each at the last place.
    private static void Update(
        in WalkWork<T> w, in WalkMemory m, int batch, int head, int first, int count, long state, long next, int hasState, int column, int columns, long kept)
    {
        HeadsView<T> heads = w.Heads;
        ArrayView<Vector4<float>> keys = m.K.Cast<Vector4<float>>();
        for (int slice = 0; slice < heads.KeyWidth; slice += Slice)
        {
            int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice);
            WalkMemory.Again(m, heads, batch, head, first, count, slice, width, 1);
            for (int i = Group.IdxX; i < Fours * Columns; i += Group.DimX)
            {
                int j = i % Columns;
                if (j < columns)
                {
                    SixteenPlaces values = SixteenPlaces.Of(m.Written, j, Columns, m.Block.Stays);
                    float from = m.Block.Passes;
                    for (int d = i / Columns; d < width; d += Fours)
                    {
                        int at = d * Quarter;
                        float sum = values.Dot(keys, at);
                        long element = (long)(slice + d) * heads.ValueWidth + column + j;
                        if (hasState != 0)
                        {
                            float factor = from;
                            if (heads.IsVector != 0)
                            {
                                factor *= XMath.Exp(m.Logs[d * PlaceBlock.Stride + PlaceBlock.Places - 1]);
                            }

                            sum += factor * w.States[state + element];
                        }

                        w.States[next + element] = sum;
                        if (kept >= 0)
                        {
                            w.Kept[kept + element] = sum;
                        }
                    }
                }
            }
        }
    }

    private static void CopyIn(in WalkWork<T> w, ArrayView<float> from, long at, long state, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = WalkMemory.Element(w.Heads, i, column, columns);
            w.States[state + element] = from[at + element];
        }
    }

    private static void TakeInitial(in WalkWork<T> w, int pair, long state, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = WalkMemory.Element(w.Heads, i, column, columns);
            w.States[state + element] = StateView<T>.Read(w.Initial, pair * w.Heads.Size + element);
        }
    }

    private static void Keep(in WalkWork<T> w, int pair, int chunk, long state, int hasState, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = WalkMemory.Element(w.Heads, i, column, columns);
            float value = 0;
            if (hasState != 0)
            {
                value = w.States[state + element];
            }

            w.Kept[((long)pair * w.Chunks + chunk) * w.Heads.Size + element] = value;
        }
    }

    private static void PutFinal(in WalkWork<T> w, int pair, long state, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = WalkMemory.Element(w.Heads, i, column, columns);
            StateView<T>.Put(w.Final, pair * w.Heads.Size + element, w.States[state + element], 0);
        }
    }
}
