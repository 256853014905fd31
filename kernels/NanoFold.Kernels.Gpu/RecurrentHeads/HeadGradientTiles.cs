using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>What <see cref="HeadGradientWork{T}"/> has in shared memory: values of sixteen places, tiles of states, and the products of either.</summary>
internal static class HeadGradientTiles
{
    /// <summary>Elements of a key, and of a value, in shared memory at once.</summary>
    public const int Slice = 32, TileStride = Slice + 1;

    private const int Fours = PlaceBlock.Places / 4, Quarter = PlaceBlock.Stride / 4, Pairs = PlaceBlock.Places * PlaceBlock.Places;

    /// <summary>(y'_t · u_s) and (a_t · u_s) of each pair, and dβ.</summary>
    public static void Products<T>(in HeadGradientWork<T> w, in HeadGradientMemory m, in PlaceBlock block, int batch, int head, int first, int count)
        where T : unmanaged, IElement<T>
    {
        for (int tile = 0; tile < w.Heads.ValueWidth; tile += Slice)
        {
            Group.Barrier();
            LoadValues(w, m, block, batch, head, first, count, tile);
            Group.Barrier();
            for (int i = Group.IdxX; i < Pairs; i += Group.DimX)
            {
                int t = i / PlaceBlock.Places, s = i - t * PlaceBlock.Places;
                float read = 0, meet = 0;
                for (int j = 0; j < Slice; j++)
                {
                    float u = m.U[j * PlaceBlock.Stride + s];
                    read += m.DY[j * PlaceBlock.Stride + t] * u;
                    meet += m.A[j * PlaceBlock.Stride + t] * u;
                }

                float old = 0, oldMeet = 0;
                if (tile > 0)
                {
                    old = m.Reads[i];
                    oldMeet = m.Meets[i];
                }

                m.Reads[i] = old + read;
                m.Meets[i] = oldMeet + meet;
            }

            if (w.DBeta.Has != 0)
            {
                // du · e: of a tile, then of the row.
                for (int t = Group.IdxX; t < count; t += Group.DimX)
                {
                    float sum = 0;
                    int width = IntrinsicMath.Min(Slice, w.Heads.ValueWidth - tile);
                    long at = Row(w, batch, head, first + t) + tile;
                    for (int j = 0; j < width; j++)
                    {
                        sum += w.Written[at + j] * w.WrittenGradient[at + j];
                    }

                    float old = 0;
                    if (tile > 0)
                    {
                        old = m.DBeta[t];
                    }

                    m.DBeta[t] = old + sum;
                    if (tile + Slice >= w.Heads.ValueWidth)
                    {
                        PlaceView<T>.Put(w.DBeta, batch, first + t, head, 0, old + sum, w.AccumulateBeta);
                    }
                }
            }
        }

        // What decays of heads leave of each pair; each thread its own.
        for (int i = Group.IdxX; i < Pairs; i += Group.DimX)
        {
            int t = i / PlaceBlock.Places, s = i - t * PlaceBlock.Places;
            float factor = 0;
            if (s <= t)
            {
                factor = PlaceBlock.Between(block, s, t);
            }

            m.Reads[i] *= factor;
            m.Meets[i] = s < t && w.Heads.Beta.Has != 0 ? factor * m.Meets[i] : 0f;
        }
    }

    /// <summary>S y', S a and G u of a tile, added; and Σ G ⊙ S of each element of the key.</summary>
    public static void AddStates(in HeadGradientMemory m, int width, int isFirst, int isDelta)
    {
        ArrayView<Vector4<float>> dy = m.DY.Cast<Vector4<float>>(), a = m.A.Cast<Vector4<float>>(), u = m.U.Cast<Vector4<float>>();
        for (int i = Group.IdxX; i < 2 * Fours * Slice; i += Group.DimX)
        {
            int d = i % Slice, four = i / Slice % Fours, at = d * PlaceBlock.Stride + four * 4;
            if (d < width)
            {
                Vector4<float> x = default, z = default;
                if (i < Fours * Slice)
                {
                    for (int j = 0; j < Slice; j++)
                    {
                        float s = m.S[d * TileStride + j];
                        x = FourPlaces.Fma(dy[j * Quarter + four], s, x);
                        if (isDelta != 0)
                        {
                            z = FourPlaces.Fma(a[j * Quarter + four], s, z);
                        }
                    }

                    FourPlaces.Put(m.DQ, at, 1, x, isFirst);
                    FourPlaces.Put(m.DReader, at, 1, z, isFirst);
                }
                else
                {
                    for (int j = 0; j < Slice; j++)
                    {
                        x = FourPlaces.Fma(u[j * Quarter + four], m.G[d * TileStride + j], x);
                    }

                    FourPlaces.Put(m.DWriter, at, 1, x, isFirst);
                }
            }
        }

        for (int d = Group.IdxX; d < width; d += Group.DimX)
        {
            float sum = 0;
            for (int j = 0; j < Slice; j++)
            {
                sum += m.S[d * TileStride + j] * m.G[d * TileStride + j];
            }

            float old = 0;
            if (isFirst == 0)
            {
                old = m.Both[d];
            }

            m.Both[d] = old + sum;
        }
    }

    /// <summary>Where what was written at a place begins.</summary>
    public static long Row<T>(in HeadGradientWork<T> w, int batch, int head, int time)
        where T : unmanaged, IElement<T>
        =>
        (((long)batch * w.Heads.Heads + head) * (w.End - w.First) + time - w.First) * w.Heads.ValueWidth;

    /// <summary>y', u and a of sixteen places.</summary>
    public static void LoadValues<T>(in HeadGradientWork<T> w, in HeadGradientMemory m, in PlaceBlock block, int batch, int head, int first, int count, int tile)
        where T : unmanaged, IElement<T>
    {
        PlaceBlock.LoadRows(m.DY, w.DY, batch, head, first, count, tile, Slice, w.Heads.Scale);
        for (int i = Group.IdxX; i < Slice * PlaceBlock.Places; i += Group.DimX)
        {
            int t = i / Slice, j = i - t * Slice;
            float u = 0, a = 0;
            if (t < count && tile + j < w.Heads.ValueWidth)
            {
                long at = Row(w, batch, head, first + t) + tile + j;
                u = block.Beta[t] * w.Written[at];
                a = block.Beta[t] * w.WrittenGradient[at];
            }

            m.U[j * PlaceBlock.Stride + t] = u;
            m.A[j * PlaceBlock.Stride + t] = a;
        }
    }

    /// <summary>A tile of a state; 0 beyond its columns.</summary>
    public static void LoadTile(ArrayView<float> tile, ArrayView<float> states, long state, int row, int rows, int column, int columns, int width)
    {
        for (int i = Group.IdxX; i < rows * Slice; i += Group.DimX)
        {
            int d = i / Slice, j = i - d * Slice;
            float value = 0;
            if (j < columns)
            {
                value = states[state + (long)(row + d) * width + column + j];
            }

            tile[d * TileStride + j] = value;
        }
    }
}
