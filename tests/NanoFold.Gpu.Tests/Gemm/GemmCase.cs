using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>A product to be run by the machine, and compared with sums in double of the same rounded operands.</summary>
internal sealed record GemmCase(GemmFamily Family, GemmTile Tile, GpuType Input, int M, int N, int K)
{
    public GpuType? Output { get; init; }

    public bool ColumnsA { get; init; }

    public bool ColumnsB { get; init; }

    /// <summary>Elements more than needed between rows.</summary>
    public int PadA { get; init; }

    public int PadB { get; init; }

    public int PadY { get; init; }

    /// <summary>Elements that operands begin behind an aligned address.</summary>
    public int Shift { get; init; }

    public bool Accumulate { get; init; }

    public GpuType? Bias { get; init; }

    public GpuType? Residual { get; init; }

    public float Alpha { get; init; } = 1;

    public int Slices { get; init; } = 1;

    public int Outer { get; init; } = 1;

    public int Inner { get; init; } = 1;

    /// <summary>b is the same for the outer batch.</summary>
    public bool BroadcastB { get; init; }

    /// <summary>Row offsets of groups: of rows, or with <see cref="PerGroup"/> of the depth.</summary>
    public int[]? Offsets { get; init; }

    public bool PerGroup { get; init; }

    /// <summary>Slices are added by a launch of their own.</summary>
    public bool AddsSlicesApart { get; init; }

    /// <summary>Times that the product is computed, with the same counters.</summary>
    public int Times { get; init; } = 1;

    public bool SeeksRaces { get; init; }

    public PtxSchedule Schedule { get; init; } = new();

    public int Architecture { get; init; } = 80;

    /// <summary>Blocks at most of a kernel whose blocks go on from tile to tile.</summary>
    public int Multiprocessors { get; init; } = 2;

    /// <inheritdoc cref="MachineDevice.StartsEarly"/>
    public bool StartsEarly { get; init; }

    /// <summary>What is done to tensor maps, to see that the machine notices.</summary>
    public Func<TensorMap, TensorMap>? EditMap { get; init; }

    /// <summary>What is done to a kernel's text, to see that the machine notices.</summary>
    public Func<string, string>? Edit { get; init; }

    public override string ToString()
        => $"{Family} {Tile} {Input}->{Output ?? Input} {M}x{N}x{K}{(ColumnsA ? " T" : " N")}{(ColumnsB ? "T" : "N")} pads {PadA},{PadB},{PadY} shift {Shift}"
            + $"{(Accumulate ? " accumulate" : "")}{(Bias is null ? "" : $" bias {Bias}")}{(Residual is null ? "" : $" residual {Residual}")} alpha {Alpha}"
            + $" slices {Slices} batch {Outer}x{Inner}{(BroadcastB ? " broadcast" : "")}{(Offsets is null ? "" : $" groups {string.Join(",", Offsets)}{(PerGroup ? " per group" : "")}")}";

    /// <summary>Runs and compares; returns what share of the shared memory's cycles was lost to conflicts.</summary>
    public double Check() => Run(compare: true).Conflicts;

    /// <summary>Runs; returns y and, whether it was used or not, the residual.</summary>
    public (double[] Y, double[] Residual) Run()
    {
        (_, double[] y, double[] residual) = Run(compare: false);
        return (y, residual);
    }

    private (double Conflicts, double[] Y, double[] Residual) Run(bool compare)
    {
        using var device = new MachineDevice { Schedule = Schedule, Edit = Edit, Architecture = Architecture, Multiprocessors = Multiprocessors, StartsEarly = StartsEarly, EditMap = EditMap, SeeksRaces = SeeksRaces, AddsSlicesApart = AddsSlicesApart };
        var random = new Random(M * 31 + N * 7 + K);
        GpuType output = Output ?? Input;
        int groups = Offsets is null ? 0 : Offsets.Length - 1;
        int matricesA = Offsets is null ? Outer * Inner : 1;
        int matricesB = Offsets is null ? (BroadcastB ? 1 : Outer) * Inner : PerGroup ? 1 : groups;
        int matricesY = Offsets is null ? Outer * Inner : PerGroup ? groups : 1;
        var a = new Matrices(device, random, Input, matricesA, ColumnsA ? K : M, ColumnsA ? M : K, PadA, Shift);
        var b = new Matrices(device, random, Input, matricesB, ColumnsB ? N : K, ColumnsB ? K : N, PadB, Shift);
        var y = new Matrices(device, random, output, matricesY, M, N, PadY, Shift);
        var bias = new Matrices(device, random, Bias ?? output, 1, 1, N, 0, 0);
        var residual = new Matrices(device, random, Residual ?? output, matricesY, M, N, PadY, Shift);
        double[] before = y.Read();
        var problem = new GemmProblem
        {
            A = a.Address, B = b.Address, Y = y.Address, Bias = bias.Address, Residual = residual.Address,
            StrideA = a.RowBytes, StrideB = b.RowBytes, StrideY = y.RowBytes, StrideResidual = residual.RowBytes,
            M = M, N = N, K = K, OuterCount = Outer, InnerCount = Inner,
            Input = Input, Output = output, BiasType = Bias, ResidualType = Residual,
            ColumnsA = ColumnsA, ColumnsB = ColumnsB, Accumulate = Accumulate, Alpha = Alpha,
        };
        if (Offsets is null)
        {
            (problem.InnerA, problem.OuterA) = (a.MatrixBytes, a.MatrixBytes * Inner);
            (problem.InnerB, problem.OuterB) = (b.MatrixBytes, BroadcastB ? 0 : b.MatrixBytes * Inner);
            (problem.InnerY, problem.OuterY) = (y.MatrixBytes, y.MatrixBytes * Inner);
            (problem.InnerResidual, problem.OuterResidual) = (residual.MatrixBytes, residual.MatrixBytes * Inner);
        }
        else
        {
            long address = device.Allocate(Offsets.Length * 4);
            unsafe
            {
                Offsets.CopyTo(new Span<int>((void*)address, Offsets.Length));
            }

            problem.Offsets = address;
            problem.Groups = groups;
            problem.Mode = PerGroup ? GemmMode.DepthGroups : GemmMode.RowGroups;
            problem.OuterB = PerGroup ? 0 : b.MatrixBytes;
            problem.OuterY = PerGroup ? y.MatrixBytes : 0;
        }

        for (int time = 0; time < Times; time++)
        {
            GemmRun.Run(device, problem, new GemmChoice(Family, Tile, Slices));
            Assert.That(device.AreCountersZero, "a kernel leaves counters as it found them");
        }

        if (compare)
        {
            Compare(a, b, y, bias.Read(), residual.Read(), before);
        }

        return ((double)device.ConflictCycles / Math.Max(1, device.SharedCycles), y.Read(), residual.Read());
    }

    private void Compare(Matrices a, Matrices b, Matrices y, double[] bias, double[] residual, double[] before)
    {
        double[] valuesA = Operand(a), valuesB = Operand(b), after = y.Read();
        double unit = y.Type == GpuType.Float32 ? 2e-6 : y.Type == GpuType.BFloat16 ? 0.005 : 0.0006;
        for (int matrix = 0; matrix < y.Count; matrix++)
        {
            for (int i = 0; i < M; i++)
            {
                (int matrixA, int matrixB, int from, int to) = Part(matrix, i);
                bool isLeftAlone = matrixB < 0;
                for (int j = 0; j < N; j++)
                {
                    int at = (matrix * M + i) * N + j;
                    double sum = 0, size = 0;
                    for (int k = from; k < to && !isLeftAlone; k++)
                    {
                        double term = a.At(valuesA, matrixA, ColumnsA ? k : i, ColumnsA ? i : k) * b.At(valuesB, matrixB, ColumnsB ? j : k, ColumnsB ? k : j);
                        sum += term;
                        size += Math.Abs(term);
                    }

                    double product = sum * Alpha + (Bias is null ? 0 : bias[j]);
                    double expected = isLeftAlone ? before[at] : product + (Residual is null ? 0 : residual[at]) + (Accumulate ? before[at] : 0);

                    // What a residual is added to is rounded once more.
                    double most = Math.Abs(expected) + (Residual is null ? 0 : Math.Abs(product));
                    if (!(Math.Abs(after[at] - expected) <= 3e-6 * size + unit * (most + 0.1)))
                    {
                        Assert.Fail($"{this}: y[{matrix}, {i}, {j}] is {after[at]}, expected {expected}");
                    }
                }
            }
        }
    }

    /// <summary>Matrices and depth that make row <paramref name="row"/> of result <paramref name="matrix"/>; b −1 where the row is left alone.</summary>
    private (int A, int B, int From, int To) Part(int matrix, int row)
    {
        if (Offsets is null)
        {
            return (matrix, BroadcastB ? matrix % Inner : matrix, 0, K);
        }

        if (PerGroup)
        {
            return (0, 0, Offsets[matrix], Offsets[matrix + 1]);
        }

        int group = 0;
        while (group < Offsets.Length - 1 && row >= Offsets[group + 1])
        {
            group++;
        }

        return (0, group == Offsets.Length - 1 ? -1 : group, 0, K);
    }

    /// <summary>What tensor cores read of an operand of single precision is rounded to TF32 as the device does.</summary>
    private double[] Operand(Matrices operand)
    {
        double[] values = operand.Read();
        for (int i = 0; i < values.Length && Family == GemmFamily.Mma && Input == GpuType.Float32; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits((float)values[i]), half = Architecture >= 90 ? 0xfff + ((bits >> 13) & 1) : 0x1000;
            values[i] = BitConverter.UInt32BitsToSingle((bits + half) & 0xffffe000);
        }

        return values;
    }
}
