using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>
/// A tile of 64 × 64 elements of y by a group of 256 threads, 4 × 4 each. Blocks of 16 steps go through shared memory, [step, row or column]; the next
/// block is loaded into registers while this one is multiplied.
/// </summary>
internal static class ProductTile
{
    public const int Threads = 256;
    public const int Side = 64;
    private const int Depth = 16;

    /// <summary>Fours from one step to the next: one more than a tile has, so that neighboring steps lie in other banks.</summary>
    private const int Pitch = Side / 4 + 1;

    public static void Run<TIn, TOut>(in Product<TIn, TOut> p, int tileRow, int tileColumn)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        ArrayView<Vector4<float>> sharedA = SharedMemory.Allocate<Vector4<float>>(Depth * Pitch);
        ArrayView<Vector4<float>> sharedB = SharedMemory.Allocate<Vector4<float>>(Depth * Pitch);
        int thread = Group.IdxX;
        int row0 = tileRow * Side, column0 = tileColumn * Side;

        // Threads side by side read what lies side by side: steps, or rows and columns.
        int aRow = p.AStep == 1 ? thread >> 4 : thread & 63, aStep = p.AStep == 1 ? thread & 15 : thread >> 6;
        int aRows = p.AStep == 1 ? 16 : 0, aSteps = p.AStep == 1 ? 0 : 4;
        int bColumn = p.BStep == 1 ? thread >> 4 : thread & 63, bStep = p.BStep == 1 ? thread & 15 : thread >> 6;
        int bColumns = p.BStep == 1 ? 16 : 0, bSteps = p.BStep == 1 ? 0 : 4;
        long a = p.FirstA + (row0 + aRow) * p.ARow + aStep * p.AStep, b = p.FirstB + (column0 + bColumn) * p.BColumn + bStep * p.BStep;
        long aNext = aRows * p.ARow + aSteps * p.AStep, bNext = bColumns * p.BColumn + bSteps * p.BStep;
        int storeA = aStep * Pitch * 4 + aRow, storeB = bStep * Pitch * 4 + bColumn;
        int storeNextA = aSteps * Pitch * 4 + aRows, storeNextB = bSteps * Pitch * 4 + bColumns;
        int firstRow = (thread >> 4) * 4, firstColumn = (thread & 15) * 4;

        Vector4<float> nextA = Load(p.A, a, aNext, row0 + aRow, aRows, p.M, aStep, aSteps, p.K);
        Vector4<float> nextB = Load(p.B, b, bNext, column0 + bColumn, bColumns, p.N, bStep, bSteps, p.K);
        Sums c = default;
        for (int k = 0; k < p.K; k += Depth)
        {
            Group.Barrier();
            Store(sharedA.Cast<float>(), storeA, storeNextA, nextA);
            Store(sharedB.Cast<float>(), storeB, storeNextB, nextB);
            Group.Barrier();
            a += Depth * p.AStep;
            b += Depth * p.BStep;
            nextA = Load(p.A, a, aNext, row0 + aRow, aRows, p.M, k + Depth + aStep, aSteps, p.K);
            nextB = Load(p.B, b, bNext, column0 + bColumn, bColumns, p.N, k + Depth + bStep, bSteps, p.K);
            int atA = firstRow / 4, atB = firstColumn / 4;
            for (int step = 0; step < Depth; step += 4)
            {
                c = Add(c, sharedA[atA], sharedB[atB]);
                c = Add(c, sharedA[atA + Pitch], sharedB[atB + Pitch]);
                c = Add(c, sharedA[atA + 2 * Pitch], sharedB[atB + 2 * Pitch]);
                c = Add(c, sharedA[atA + 3 * Pitch], sharedB[atB + 3 * Pitch]);
                atA += 4 * Pitch;
                atB += 4 * Pitch;
            }
        }

        Write(p, row0 + firstRow, column0 + firstColumn, c.Row0);
        Write(p, row0 + firstRow + 1, column0 + firstColumn, c.Row1);
        Write(p, row0 + firstRow + 2, column0 + firstColumn, c.Row2);
        Write(p, row0 + firstRow + 3, column0 + firstColumn, c.Row3);
    }

    /// <summary>Four elements, <paramref name="next"/> apart; 0 for those outside of [0, <paramref name="ends"/>) or at step <paramref name="steps"/> and after.</summary>
    private static Vector4<float> Load<T>(ArrayView<T> x, long at, long next, int end, int endNext, int ends, int step, int stepNext, int steps)
        where T : unmanaged, IElement<T>
    {
        Vector4<float> four;
        four.A = end < ends && step < steps ? T.Read(x[at]) : 0;
        four.B = end + endNext < ends && step + stepNext < steps ? T.Read(x[at + next]) : 0;
        four.C = end + 2 * endNext < ends && step + 2 * stepNext < steps ? T.Read(x[at + 2 * next]) : 0;
        four.D = end + 3 * endNext < ends && step + 3 * stepNext < steps ? T.Read(x[at + 3 * next]) : 0;
        return four;
    }

    private static void Store(ArrayView<float> shared, int at, int next, in Vector4<float> four)
    {
        shared[at] = four.A;
        shared[at + next] = four.B;
        shared[at + 2 * next] = four.C;
        shared[at + 3 * next] = four.D;
    }

    private static void Write<TIn, TOut>(in Product<TIn, TOut> p, int row, int column, in Vector4<float> sums)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        if (row >= p.M)
        {
            return;
        }

        if (column < p.N)
        {
            Product<TIn, TOut>.Write(p, row, column, sums.A);
        }

        if (column + 1 < p.N)
        {
            Product<TIn, TOut>.Write(p, row, column + 1, sums.B);
        }

        if (column + 2 < p.N)
        {
            Product<TIn, TOut>.Write(p, row, column + 2, sums.C);
        }

        if (column + 3 < p.N)
        {
            Product<TIn, TOut>.Write(p, row, column + 3, sums.D);
        }
    }

    private static Sums Add(Sums c, Vector4<float> a, Vector4<float> b)
    {
        c.Row0 = Add(c.Row0, a.A, b);
        c.Row1 = Add(c.Row1, a.B, b);
        c.Row2 = Add(c.Row2, a.C, b);
        c.Row3 = Add(c.Row3, a.D, b);
        return c;
    }

    private static Vector4<float> Add(Vector4<float> c, float a, Vector4<float> b)
    {
        c.A += a * b.A;
        c.B += a * b.B;
        c.C += a * b.C;
        c.D += a * b.D;
        return c;
    }

    /// <summary>What a thread sums up: four rows of four columns.</summary>
    internal struct Sums
    {
        public Vector4<float> Row0, Row1, Row2, Row3;
    }
}
