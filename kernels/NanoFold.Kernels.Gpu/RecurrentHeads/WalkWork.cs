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
    public const int Columns = 64, Slice = 64, Fours = PlaceBlock.Places / 4;

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
        ArrayView<float> q = SharedMemory.Allocate<float>(Slice * PlaceBlock.Stride), k = SharedMemory.Allocate<float>(Slice * PlaceBlock.Stride);
        ArrayView<float> logs = SharedMemory.Allocate<float>(Slice * PlaceBlock.Stride);
        ArrayView<float> written = SharedMemory.Allocate<float>(PlaceBlock.Places * Columns), read = SharedMemory.Allocate<float>(PlaceBlock.Places * Columns);
        ArrayView<float> reads = SharedMemory.Allocate<float>(PlaceBlock.Places * PlaceBlock.Places), meets = SharedMemory.Allocate<float>(PlaceBlock.Places * PlaceBlock.Places);
        PlaceBlock block = PlaceBlock.Allocate();

        HeadsView<T> heads = w.Heads;
        int pair = Grid.IdxX, batch = pair / heads.Heads, head = pair % heads.Heads, keyHead = head / heads.GroupHeads;
        int column = Grid.IdxY * Columns, columns = IntrinsicMath.Min(Columns, heads.ValueWidth - column);
        int start = w.First + Grid.IdxZ * w.Length, stop = IntrinsicMath.Min(start + w.Length, w.End), end = IntrinsicMath.Min(stop, Seams<T>.Count(heads.Seams, batch));
        long size = heads.Size, state = (long)pair * w.Slots * size;
        int isDelta = heads.Beta.Has, hasState = w.HasInitial;
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
            PlaceBlock.Load(block, heads, batch, head, first, count);
            for (int slice = 0; slice < heads.KeyWidth; slice += Slice)
            {
                int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice), isFirst = slice == 0 ? 1 : 0;
                Group.Barrier();
                PlaceBlock.LoadRows(q, heads.Q, batch, keyHead, first, count, slice, width, 1f);
                PlaceBlock.LoadRows(k, heads.K, batch, keyHead, first, count, slice, width, 1f);
                if (heads.IsVector != 0)
                {
                    PlaceBlock.LoadSums(logs, heads, batch, head, first, count, slice, width);
                }

                Group.Barrier();
                PlaceBlock.AddScores(block, q, k, logs, width, heads.IsVector, isDelta, isFirst, reads, meets);
                if (heads.IsVector != 0)
                {
                    Group.Barrier();
                    PlaceBlock.FadeRows(q, logs, width, 0);
                    PlaceBlock.FadeRows(k, logs, width, 0);
                    Group.Barrier();
                }

                Read(w, q, k, state + (long)slice * heads.ValueWidth, width, hasState, isDelta, isFirst, column, columns, read, written);
            }

            PlaceBlock.Fade(block, reads, meets);
            Group.Barrier();
            Solve(w, block, batch, head, first, count, column, columns, meets, written);
            Group.Barrier();
            if (w.KeepsAll == 0)
            {
                Write(w, block, batch, head, first, places, count, column, columns, reads, read, written);
            }

            // The last places of a stretch leave no state behind that somebody wants, but where it is asked for.
            long next = w.KeepsAll != 0 ? state + size : state;
            bool goesOn = first + PlaceBlock.Places < stop, isKept = w.Keeps != 0 && (first + PlaceBlock.Places) % w.Chunk == 0 && goesOn;
            if (goesOn || w.Goes != 0)
            {
                Update(w, block, q, k, logs, batch, head, first, count, state, next, hasState, column, columns, written, isKept ? ((long)pair * w.Chunks + (first + PlaceBlock.Places) / w.Chunk) * size : -1L);
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
    private static void Read(
        in WalkWork<T> w, ArrayView<float> q, ArrayView<float> k, long state, int width, int hasState, int isDelta, int isFirst, int column, int columns,
        ArrayView<float> read, ArrayView<float> written)
    {
        ArrayView<Vector4<float>> queries = q.Cast<Vector4<float>>(), keys = k.Cast<Vector4<float>>();
        int valueWidth = w.Heads.ValueWidth;
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
                        y = FourPlaces.Fma(queries[d * (PlaceBlock.Stride / 4) + four], s, y);
                        if (isDelta != 0)
                        {
                            r = FourPlaces.Fma(keys[d * (PlaceBlock.Stride / 4) + four], s, r);
                        }
                    }
                }

                FourPlaces.Put(read, four * 4 * Columns + j, Columns, y, isFirst);
                FourPlaces.Put(written, four * 4 * Columns + j, Columns, r, isFirst);
            }
        }
    }

    // Leaves what is written in the place of what keys read: v, or β (v − Sᵀ k).
    private static void Solve(
        in WalkWork<T> w, in PlaceBlock block, int batch, int head, int first, int count, int column, int columns, ArrayView<float> meets, ArrayView<float> written)
    {
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
                        u -= block.Comes[t] * written[t * Columns + j];
                        for (int s = 0; s < t; s++)
                        {
                            u -= meets[t * PlaceBlock.Places + s] * written[s * Columns + j];
                        }
                    }

                    if (w.KeepsAll != 0)
                    {
                        long span = w.End - w.First;
                        w.Written[((Grid.IdxX * span) + first - w.First + t) * w.Heads.ValueWidth + column + j] = u;
                    }
                }

                written[t * Columns + j] = block.Beta[t] * u;
            }
        }
    }

    private static void Write(
        in WalkWork<T> w, in PlaceBlock block, int batch, int head, int first, int places, int count, int column, int columns,
        ArrayView<float> reads, ArrayView<float> read, ArrayView<float> written)
    {
        for (int i = Group.IdxX; i < places * Columns; i += Group.DimX)
        {
            int j = i % Columns, t = i / Columns;
            if (j < columns)
            {
                float y = 0;
                if (t < count)
                {
                    y = block.Comes[t] * read[t * Columns + j];
                    for (int s = 0; s <= t; s++)
                    {
                        y += reads[t * PlaceBlock.Places + s] * written[s * Columns + j];
                    }
                }

                w.Y.Memory[w.Y.Row(batch, first + t, head) + column + j] = T.Write(w.Heads.Scale * y);
            }
        }
    }

    // S ← decay ⊙ S + Σ k uᵀ with what is left of each at the last place.
    private static void Update(
        in WalkWork<T> w, in PlaceBlock block, ArrayView<float> q, ArrayView<float> k, ArrayView<float> logs, int batch, int head, int first, int count,
        long state, long next, int hasState, int column, int columns, ArrayView<float> written, long kept)
    {
        HeadsView<T> heads = w.Heads;
        ArrayView<Vector4<float>> keys = k.Cast<Vector4<float>>();
        for (int slice = 0; slice < heads.KeyWidth; slice += Slice)
        {
            int width = IntrinsicMath.Min(Slice, heads.KeyWidth - slice);
            if (heads.KeyWidth > Slice || heads.IsVector != 0)
            {
                Group.Barrier();
                PlaceBlock.LoadRows(k, heads.K, batch, head / heads.GroupHeads, first, count, slice, width, 1f);
                if (heads.IsVector != 0)
                {
                    PlaceBlock.LoadSums(logs, heads, batch, head, first, count, slice, width);
                    Group.Barrier();
                    PlaceBlock.FadeRows(k, logs, width, 1);
                }

                Group.Barrier();
            }

            for (int i = Group.IdxX; i < Fours * Columns; i += Group.DimX)
            {
                int j = i % Columns;
                if (j < columns)
                {
                    SixteenPlaces values = SixteenPlaces.Of(written, j, Columns, block.Stays);
                    float from = block.Passes;
                    for (int d = i / Columns; d < width; d += Fours)
                    {
                        int at = d * (PlaceBlock.Stride / 4);
                        float sum = values.Dot(keys, at);
                        long element = (long)(slice + d) * heads.ValueWidth + column + j;
                        if (hasState != 0)
                        {
                            float factor = from;
                            if (heads.IsVector != 0)
                            {
                                factor *= XMath.Exp(logs[d * PlaceBlock.Stride + PlaceBlock.Places - 1]);
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
            long element = (long)(i / columns) * w.Heads.ValueWidth + column + i % columns;
            w.States[state + element] = from[at + element];
        }
    }

    private static void TakeInitial(in WalkWork<T> w, int pair, long state, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = (long)(i / columns) * w.Heads.ValueWidth + column + i % columns;
            w.States[state + element] = StateView<T>.Read(w.Initial, pair * w.Heads.Size + element);
        }
    }

    private static void Keep(in WalkWork<T> w, int pair, int chunk, long state, int hasState, int column, int columns)
    {
        for (int i = Group.IdxX; i < w.Heads.KeyWidth * columns; i += Group.DimX)
        {
            long element = (long)(i / columns) * w.Heads.ValueWidth + column + i % columns;
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
            long element = (long)(i / columns) * w.Heads.ValueWidth + column + i % columns;
            StateView<T>.Put(w.Final, pair * w.Heads.Size + element, w.States[state + element], 0);
        }
    }
}
