namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>
/// Products on a processor's vector units. A tile of 8 × 32 elements of y is sixteen vectors of sixteen floats, kept in registers over all steps; a group is one thread.
/// Columns of b come as they lie, where they lie side by side, or from panels [panel][K][32] that a kernel before has packed, filled up with zeros.
/// </summary>
internal static class VectorProductSource
{
    /// <summary>Divides <see cref="Columns"/>: a tile is on the diagonal of blocks so wide, below or above it.</summary>
    public const int Rows = 8;
    public const int Columns = 32;

    /// <summary>Steps that one group packs.</summary>
    public const int PackedSteps = 256;

    private const string Operands = """
        struct operands
        {
            long a, b, y, bias, residual, panels;
            long aRow, aStep, bStep, bColumn, yRow, yColumn, biasColumn, residualRow, residualColumn, panelBatch;
            long y0, y1, y2, a0, a1, a2, b0, b1, b2, r0, r1, r2;
            int M, N, K, n1, n2, firstPanel, accumulate, hasBias, hasResidual, isSymmetric;
            float alpha;
        };

        """;

    public const string Product = VectorStore.Text + Operands + """
        #define ROWS 8

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void product(
            global const float* A, global const float* B, global const float* bias, global const float* residual, global float* Y, global const float* panels, struct operands w)
        {
            int row = get_group_id(0) * ROWS, panel = get_group_id(1), column = panel * 32, batch = get_group_id(2);
            // Of a symmetric product what is above the diagonal is written by what is below, to the same bits: each element is one sum in the order of its steps.
            if (w.isSymmetric && column > row)
                return;
            long i2 = batch % w.n2, i1 = batch / w.n2 % w.n1, i0 = batch / w.n2 / w.n1;
            global const float* a = A + w.a + i0 * w.a0 + i1 * w.a1 + i2 * w.a2;
            global const float* b;
            long step;
            if (panel < w.firstPanel)
            {
                b = B + w.b + i0 * w.b0 + i1 * w.b1 + i2 * w.b2 + column;
                step = w.bStep;
            }
            else
            {
                b = panels + w.panels + batch * w.panelBatch + (long)(panel - w.firstPanel) * w.K * 32;
                step = 32;
            }

            // Rows past the last one are computed as it is, and dropped.
            global const float* p[ROWS];
            for (int r = 0; r < ROWS; r++)
                p[r] = a + min(row + r, w.M - 1) * w.aRow;
            float16 left[ROWS], right[ROWS];
            #pragma unroll
            for (int r = 0; r < ROWS; r++)
            {
                left[r] = 0;
                right[r] = 0;
            }

            for (int k = 0; k < w.K; k++)
            {
                float16 b0 = vload16(0, b), b1 = vload16(1, b);
                b += step;
                #pragma unroll
                for (int r = 0; r < ROWS; r++)
                {
                    float x = p[r][k * w.aStep];
                    left[r] = fma((float16)x, b0, left[r]);
                    right[r] = fma((float16)x, b1, right[r]);
                }
            }

            if (w.isSymmetric && column + 32 <= row)
            {
                global float* y = Y + w.y + i0 * w.y0 + i1 * w.y1 + i2 * w.y2 + column * w.yRow + row * w.yColumn;
                float t[ROWS][32];
                #pragma unroll
                for (int r = 0; r < ROWS; r++)
                {
                    vstore16(left[r] * w.alpha, 0, t[r]);
                    vstore16(right[r] * w.alpha, 1, t[r]);
                }

                for (int j = 0; j < 32; j++)
                    if (w.yColumn == 1 && row + ROWS <= w.M)
                        vstore8((float8)(t[0][j], t[1][j], t[2][j], t[3][j], t[4][j], t[5][j], t[6][j], t[7][j]), 0, y + j * w.yRow);
                    else
                        for (int r = 0; row + r < w.M && r < ROWS; r++)
                            y[j * w.yRow + r * w.yColumn] = t[r][j];
            }

            bool whole = column + 32 <= w.N && w.yColumn == 1 && (!w.hasBias || w.biasColumn == 1) && (!w.hasResidual || w.residualColumn == 1);
            #pragma unroll
            for (int r = 0; r < ROWS; r++)
                if (row + r < w.M)
                {
                    global float* y = Y + w.y + i0 * w.y0 + i1 * w.y1 + i2 * w.y2 + (row + r) * w.yRow + column * w.yColumn;
                    global const float* added = bias + w.bias + column * w.biasColumn;
                    global const float* other = residual + w.residual + i0 * w.r0 + i1 * w.r1 + i2 * w.r2 + (row + r) * w.residualRow + column * w.residualColumn;
                    float16 c0 = left[r] * w.alpha, c1 = right[r] * w.alpha;
                    if (whole)
                    {
                        if (w.hasBias) { c0 += vload16(0, added); c1 += vload16(1, added); }
                        if (w.hasResidual) { c0 += vload16(0, other); c1 += vload16(1, other); }
                        if (w.accumulate) { c0 += vload16(0, y); c1 += vload16(1, y); }
                        store16(c0, y);
                        store16(c1, y + 16);
                        continue;
                    }

                    float sums[32];
                    vstore16(c0, 0, sums);
                    vstore16(c1, 1, sums);
                    for (int j = 0; j < 32 && column + j < w.N; j++)
                    {
                        float sum = sums[j];
                        if (w.hasBias) sum += added[j * w.biasColumn];
                        if (w.hasResidual) sum += other[j * w.residualColumn];
                        if (w.accumulate) sum += y[j * w.yColumn];
                        y[j * w.yColumn] = sum;
                    }
                }
        }

        """;

    public const string Pack = VectorStore.Text + Operands + """
        #define LOW(a, b) (float16)((a).s0, (b).s0, (a).s1, (b).s1, (a).s2, (b).s2, (a).s3, (b).s3, (a).s4, (b).s4, (a).s5, (b).s5, (a).s6, (b).s6, (a).s7, (b).s7)
        #define HIGH(a, b) (float16)((a).s8, (b).s8, (a).s9, (b).s9, (a).sa, (b).sa, (a).sb, (b).sb, (a).sc, (b).sc, (a).sd, (b).sd, (a).se, (b).se, (a).sf, (b).sf)

        // One of the four rounds that turn sixteen rows into sixteen columns.
        #define ROUND(x, y) \
            for (int j = 0; j < 8; j++) \
            { \
                y[2 * j] = LOW(x[j], x[j + 8]); \
                y[2 * j + 1] = HIGH(x[j], x[j + 8]); \
            }

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void pack(global const float* B, global float* panels, struct operands w)
        {
            int panel = get_group_id(0), column = (w.firstPanel + panel) * 32, first = get_group_id(1) * 256, last = min(first + 256, w.K), batch = get_group_id(2);
            long i2 = batch % w.n2, i1 = batch / w.n2 % w.n1, i0 = batch / w.n2 / w.n1;
            global const float* b = B + w.b + i0 * w.b0 + i1 * w.b1 + i2 * w.b2 + column * w.bColumn;
            global float* to = panels + w.panels + batch * w.panelBatch + (long)panel * w.K * 32;
            int columns = min(32, w.N - column), k = first;
            if (w.bStep == 1 && columns == 32)
                for (; k + 16 <= last; k += 16)
                    for (int side = 0; side < 2; side++)
                    {
                        float16 x[16], y[16];
                        #pragma unroll
                        for (int j = 0; j < 16; j++)
                            x[j] = vload16(0, b + (16 * side + j) * w.bColumn + k);
                        #pragma unroll
                        ROUND(x, y)
                        #pragma unroll
                        ROUND(y, x)
                        #pragma unroll
                        ROUND(x, y)
                        #pragma unroll
                        ROUND(y, x)
                        #pragma unroll
                        for (int j = 0; j < 16; j++)
                            store16(x[j], to + (k + j) * 32 + 16 * side);
                    }

            for (; k < last; k++)
                for (int j = 0; j < 32; j++)
                    to[k * 32 + j] = j < columns ? b[j * w.bColumn + k * w.bStep] : 0;
        }

        """;
}
