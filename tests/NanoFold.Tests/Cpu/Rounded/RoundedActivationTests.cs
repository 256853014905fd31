using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Rounded;
using NanoFold.Tests.Cpu.Stored;

namespace NanoFold.Tests.Cpu.Rounded;

/// <summary>Products with weights of blocks and activations rounded to 8 bits, beside their definition.</summary>
public class RoundedActivationTests
{
    private const int Block = 32;

    private static readonly DType[] s_types = [DType.Q8_0, DType.Q4_0, DType.Q4_1];
    private static readonly Isa[] s_paths = [Isa.Vector512, Isa.Vector256, Isa.Vector128, Isa.Scalar];

    // Up to 24 rows as integers, eight and more with columns unpacked; more as floats.
    private static readonly (int Rows, int Depth, int Columns)[] s_shapes = [(1, 288, 71), (1, 1056, 300), (2, 32, 5), (3, 160, 33), (1, 64, 1), (8, 160, 34), (13, 96, 17), (24, 128, 6), (25, 128, 7), (70, 352, 67)];

    [Test]
    public void ProductsAreThoseOfRoundedActivations([ValueSource(nameof(s_paths))] Isa path, [ValueSource(nameof(s_types))] DType type)
    {
        using var backend = new CpuBackend(3, path) { RoundsActivations = true };
        foreach ((int rows, int k, int columns) in s_shapes)
        {
            using var x = new Some(backend, new Random(rows), rows * k);
            using var weights = new Weights(backend, type, columns, k, seed: columns);
            using var added = new Some(backend, new Random(2), (rows + 1) * columns);
            using DeviceBuffer y = backend.Allocate(rows * columns * sizeof(float));
            View result = View(y, rows, columns);
            backend.MatMul(new MatMulArgs
            {
                A = x.As(rows, k), B = weights.Stored, TransposeB = true, Y = result, Alpha = 0.75, Bias = added.As(columns), Residual = View(added.Buffer, rows, columns).With(Layout.Of(rows, columns), columns),
            });
            float[] found = Read(backend, result), values = Read(backend, x.As(rows, k)), w = Read(backend, weights.Wide), more = Read(backend, added.As((rows + 1) * columns));
            for (int row = 0; row < rows; row++)
            {
                double[] rounded = Rounded(values.AsSpan(row * k, k));
                for (int j = 0; j < columns; j++)
                {
                    double sum = 0, size = 0;
                    for (int i = 0; i < k; i++)
                    {
                        double part = rounded[i] * w[(j * k) + i];
                        (sum, size) = (sum + part, size + Math.Abs(part));
                    }

                    double expected = (0.75 * sum) + more[j] + more[((row + 1) * columns) + j];
                    Assert.That(found[(row * columns) + j], Is.EqualTo(expected).Within(1e-6 * (size + 1)), $"{type} [{rows}, {k}] x [{columns}, {k}] at {row}, {j}");
                }
            }
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void ARowHasTheSameBitsOnEveryPathWithAnyThreadsAndWhateverIsBesideIt(DType type)
    {
        const int Rows = 40, K = 416, Columns = 301;
        float[]? first = null;
        foreach (Isa path in s_paths)
        {
            foreach (int threads in new[] { 1, 2, 3 })
            {
                using var backend = new CpuBackend(threads, path) { RoundsActivations = true, Sequences = Rows };
                using var x = new Some(backend, new Random(1), Rows * K);
                using var weights = new Weights(backend, type, Columns, K, seed: 1);
                using DeviceBuffer y = backend.Allocate(Rows * Columns * sizeof(float));
                View a = x.As(Rows, K), result = View(y, Rows, Columns);
                void Multiply(int start, int rows)
                {
                    Layout of = a.Layout.Slice(0, start, rows, out long offset), into = result.Layout.Slice(0, start, rows, out long target);
                    backend.MatMul(new MatMulArgs { A = a.With(of, offset), B = weights.Stored, TransposeB = true, Y = result.With(into, target) });
                }

                Multiply(0, Rows);
                first ??= Read(backend, result);
                Assert.That(Read(backend, result), Is.EqualTo(first), $"{path}, {threads} threads");
                backend.Sequences = 1;
                foreach (int together in new[] { 1, 2, 5, 8, 20 })
                {
                    backend.Fill(result, 0);
                    for (int row = 0; row < Rows; row += together)
                    {
                        Multiply(row, together);
                    }

                    Assert.That(Read(backend, result), Is.EqualTo(first), $"{path}, {threads} threads, {together} rows at a time");
                }
            }
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void PreparedBatchedAndGroupedProductsHaveTheBitsOfPlainOnes(DType type)
    {
        using var backend = new CpuBackend(2) { RoundsActivations = true };
        const int Groups = 3, K = 64, N = 6, Rows = 4;
        using var weights = new Weights(backend, type, Groups * N, K, seed: 1);
        using var x = new Some(backend, new Random(3), Groups * Rows * K);
        using DeviceBuffer y = backend.Allocate(Groups * Rows * N * sizeof(float)), offsets = backend.Allocate(4 * sizeof(int));
        View three = View(y, Groups, Rows, N), flat = View(y, Groups * Rows, N), all = weights.Stored.With(weights.Stored.Layout.Reshape(Groups, N, K));
        List<float> plain = [];
        for (int g = 0; g < Groups; g++)
        {
            View a = Slice(x.As(Groups * Rows, K), g * Rows, Rows), b = Slice(weights.Stored, g * N, N), part = Slice(flat, g * Rows, Rows);
            backend.MatMul(new MatMulArgs { A = a, B = b, TransposeB = true, Y = part });
            plain.AddRange(Read(backend, part));
            backend.Fill(part, 0);
            backend.PrepareMatMul(new MatMulArgs { A = a, B = b, TransposeB = true, Y = part })!.Run();
            Assert.That(Read(backend, part), Is.EqualTo(plain[^(Rows * N)..]));
        }

        backend.Fill(flat, 0);
        backend.MatMul(new MatMulArgs { A = x.As(Groups, Rows, K), B = all, TransposeB = true, Y = three });
        Assert.That(Read(backend, three), Is.EqualTo(plain));
        backend.Fill(flat, 0);
        backend.Upload<int>([0, Rows, 2 * Rows, 3 * Rows], new View(offsets, 0, Layout.Of(4), DType.Int32));
        backend.GroupedMatMul(new GroupedMatMulArgs { A = x.As(Groups * Rows, K), B = all, Y = flat, Offsets = new View(offsets, 0, Layout.Of(4), DType.Int32), TransposeB = true });
        Assert.That(Read(backend, flat), Is.EqualTo(plain));
    }

    [Test]
    public void OtherWeightsAreMultipliedAsWithoutIt([Values(DType.Float16, DType.BFloat16, DType.Float32)] DType type, [Values(1, 9, 40)] int rows)
    {
        using var backend = new CpuBackend(1);
        using var x = new Some(backend, new Random(1), rows * 96);
        using var weights = new Weights(backend, type == DType.Float32 ? DType.Q8_0 : type, 21, 96, seed: 1);
        using DeviceBuffer y = backend.Allocate(rows * 21 * sizeof(float));
        float[] Product(bool rounds)
        {
            backend.RoundsActivations = rounds;
            backend.MatMul(new MatMulArgs { A = x.As(rows, 96), B = type == DType.Float32 ? weights.Wide : weights.Stored, TransposeB = true, Y = View(y, rows, 21) });
            return Read(backend, View(y, rows, 21));
        }

        Assert.That(Product(true), Is.EqualTo(Product(false)));
    }

    [Test]
    public void BlocksOfZerosCountAsZerosAndWhatIsNotFiniteMakesItsRowNaN([ValueSource(nameof(s_types))] DType type, [Values(4, 32)] int rows)
    {
        using var backend = new CpuBackend(1) { RoundsActivations = true };
        float[] values = new float[rows * 64];
        // Less than counts, and zeros; one that is not a number; one that is not finite; a large one that is.
        values.AsSpan(0, 64).Fill(1e-31f);
        values[5] = 0;
        (values[64 + 40], values[128 + 3]) = (float.NaN, float.NegativeInfinity);
        values[192 + 63] = 1e30f;
        using var weights = new Weights(backend, type, 3, 64, seed: 4);
        using DeviceBuffer x = backend.Allocate(values.Length * sizeof(float)), y = backend.Allocate(rows * 3 * sizeof(float));
        backend.Upload<float>(values, View(x, rows, 64));
        backend.MatMul(new MatMulArgs { A = View(x, rows, 64), B = weights.Stored, TransposeB = true, Y = View(y, rows, 3) });
        float[] found = Read(backend, View(y, rows, 3)), w = Read(backend, weights.Wide);
        Assert.That(found[..3], Is.All.EqualTo(0f));
        Assert.That(found[3..9], Is.All.NaN);
        for (int j = 0; j < 3; j++)
        {
            double expected = 1e30 * w[(64 * j) + 63];
            Assert.That(found[9 + j], Is.EqualTo(expected).Within(1e-5 * Math.Abs(expected)));
        }
    }

    [Test]
    public void EveryFormOfProductsGivesTheSameIntegers()
    {
        var random = new Random(1);
        byte[] w = new byte[Block];
        sbyte[] x = new sbyte[Block];
        for (int round = 0; round < 200; round++)
        {
            random.NextBytes(w);
            for (int i = 0; i < Block; i++)
            {
                x[i] = (sbyte)(round < 4 ? (round % 2 == 0 ? 127 : -127) : random.Next(-127, 128));
                w[i] = round < 4 ? (byte)(round < 2 ? 0x80 : 0x7F) : w[i];
            }

            int[] signed = Fours(i => (sbyte)w[i] * x[i]), unsigned = Fours(i => ((w[i] & 15) * x[i]) - (8 * x[i]));
            Vector256<int> of128 = Vector256.Create(Fours(i => -128 * x[i])), of8 = Vector256.Create(Fours(i => -8 * x[i]));
            Same<PortableDots>();
            if (Avx2.IsSupported)
            {
                Same<PairDots>();
            }

            if (AvxVnni.IsSupported)
            {
                Same<VnniDots>();
            }

            void Same<D>()
                where D : struct, IByteDots
            {
                Assert.That(D.Signed(of128, Vector256.Create(w), Vector256.Create(x)), Is.EqualTo(Vector256.Create(signed)), typeof(D).Name);
                Assert.That(D.Unsigned(of8, Vector256.Create(w) & Vector256.Create((byte)15), Vector256.Create(x)), Is.EqualTo(Vector256.Create(unsigned)), typeof(D).Name);
            }
        }

        int[] Fours(Func<int, int> product) => [.. Enumerable.Range(0, Block / 4).Select(four => Enumerable.Range(4 * four, 4).Sum(product))];
    }

    // By the definition: q · max / 127.
    private static double[] Rounded(ReadOnlySpan<float> x)
    {
        double[] rounded = new double[x.Length];
        for (int start = 0; start < x.Length; start += Block)
        {
            float largest = 0;
            foreach (float value in x.Slice(start, Block))
            {
                largest = Math.Max(largest, Math.Abs(value));
            }

            for (int i = start; i < start + Block; i++)
            {
                rounded[i] = MathF.Round(x[i] * (127 / largest)) * (double)(largest / 127);
            }
        }

        return rounded;
    }

    private static View Slice(in View view, int start, int rows) => view.With(view.Layout.Slice(0, start, rows, out long offset), offset);

    private static View View(DeviceBuffer buffer, params int[] shape) => new(buffer, 0, Layout.Of(shape), DType.Float32);

    private static float[] Read(Backend backend, in View view)
    {
        float[] values = new float[view.Count];
        backend.Download(view, values.AsSpan());
        return values;
    }
}
