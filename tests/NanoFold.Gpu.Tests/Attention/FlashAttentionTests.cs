using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>The text of the tensor-core kernels, run on the host against the CPU's attention.</summary>
public class FlashAttentionTests
{
    private static readonly string[] s_names = ["y", "log-sum-exp", "dq", "dk", "dv"];

    private static IEnumerable<AttentionCase> Cases()
    {
        yield return new(1, 1, 1, 1, 32);
        yield return new(1, 150, 2, 1, 64) { Accumulates = true, Strided = true };
        yield return new(2, 70, 1, 1, 64) { Strided = true };
        yield return new(1, 129, 1, 1, 128) { Accumulates = true };
        yield return new(1, 200, 1, 1, 32) { Window = 40, Sinks = 3 };
        yield return new(1, 300, 1, 1, 64) { Window = 70 };
        yield return new(1, 140, 2, 2, 64) { DocumentLength = 45 };

        // From token 100 on nothing of the first block of keys is seen.
        yield return new(1, 128, 1, 1, 64) { DocumentLength = 50 };
        yield return new(1, 140, 2, 2, 128) { DocumentLength = 45, Window = 30, Sinks = 1 };
        yield return new(1, 60, 1, 1, 64) { Keys = 190 };
        yield return new(1, 60, 1, 1, 64) { Keys = 190, Kind = VisibleKind.Full };
        yield return new(2, 150, 1, 1, 64) { Kind = VisibleKind.Prefix, Prefix = 90 };
        yield return new(1, 200, 1, 1, 32) { Kind = VisibleKind.Prefix, Prefix = 120, Window = 30, Sinks = 50 };
        yield return new(1, 200, 1, 1, 32) { Kind = VisibleKind.Full, Window = 20, Sinks = 90 };
        yield return new(1, 140, 1, 1, 128) { Kind = VisibleKind.Full, DocumentLength = 45 };
        yield return new(1, 130, 1, 1, 32) { DocumentLength = 45, Interleaved = true };
        yield return new(1, 60, 1, 1, 32) { Keys = 190, DocumentLength = 70, Window = 50, Kind = VisibleKind.Prefix, Prefix = 150 };
        yield return new(1, 230, 1, 1, 64) { Sharpness = 10 };
        yield return new(1, 70, 3, 1, 24);
        yield return new(1, 70, 1, 1, 96);
    }

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            using var backend = new CpuBackend(1);
            using var memory = new Memory(backend);
            using var rig = new AttentionRig(backend, problem, type);
            using var cpu = new AttentionRig(backend, problem, DType.Float32);
            var shape = new AttentionShape("attention", rig.Args);
            AttentionGradients gradients = rig.Gradients(DeltaRows.Bytes(problem.Batch, problem.Time, problem.Heads));
            using var device = new FlashMachine(
                rig.Q, rig.K, rig.V, rig.Y, rig.LogSumExp, rig.DY, rig.DQ, rig.DK, rig.DV, rig.Args.Visible.Documents, rig.Args.Visible.Prefixes, gradients.Scratch)
            {
                LastWarpFirst = type == DType.Float16,
            };
            Assert.That(FlashRun.Fits(device, shape, rig.Args, gradients));
            FlashRun.Forward(device, shape, rig.Args);
            Prepare(memory, rig, problem, gradients.Scratch);
            FlashRun.Backward(device, shape, rig.Args, gradients);
            float[][] actual = rig.Results(), expected = cpu.Run();
            for (int i = 0; i < actual.Length; i++)
            {
                Near.Assert($"{type} {s_names[i]}", actual[i], expected[i], Near.Tolerance(type) * (i < 2 ? 1 : 3));
            }

            rig.AssertMargins();
            Assert.That(device.ConflictCycles, Is.LessThan(device.SharedCycles / 20), "cycles lost in shared memory");
        }
    }

    [TestCase(VisibleKind.Causal)]
    [TestCase(VisibleKind.Full)]
    public void WhatADocumentCostsDoesNotDependOnTheOthers(VisibleKind kind)
    {
        // Cycles in shared memory are those of the tiles that are visited: twice as many documents take twice as many.
        long two = Cycles(2), four = Cycles(4);
        Assert.That(four, Is.EqualTo(2 * two));

        long Cycles(int documents)
        {
            using var backend = new CpuBackend(1);
            using var memory = new Memory(backend);
            var problem = new AttentionCase(1, 256 * documents, 1, 1, 32) { Kind = kind, DocumentLength = 256 };
            using var rig = new AttentionRig(backend, problem, DType.BFloat16);
            var shape = new AttentionShape("attention", rig.Args);
            AttentionGradients gradients = rig.Gradients(DeltaRows.Bytes(problem.Batch, problem.Time, problem.Heads));
            using var device = new FlashMachine(
                rig.Q, rig.K, rig.V, rig.Y, rig.LogSumExp, rig.DY, rig.DQ, rig.DK, rig.DV, rig.Args.Visible.Documents, gradients.Scratch);
            FlashRun.Forward(device, shape, rig.Args);
            Prepare(memory, rig, problem, gradients.Scratch);
            FlashRun.Backward(device, shape, rig.Args, gradients);
            return device.SharedCycles;
        }
    }

    [Test]
    public void WhatItCannotReadIsNotForIt()
    {
        using var backend = new CpuBackend(1);
        foreach ((AttentionCase problem, DType type) in new (AttentionCase, DType)[]
        {
            (new(1, 4, 1, 1, 64), DType.Float32), (new(1, 4, 1, 1, 20), DType.BFloat16), (new(1, 4, 1, 1, 136), DType.BFloat16),
            (new(1, 4, 1, 1, 64) { ValueDepth = 32 }, DType.BFloat16), (new(1, 4, 1, 1, 64) { QuerySize = 2, KeySize = 2 }, DType.BFloat16),
        })
        {
            using var rig = new AttentionRig(backend, problem, type);
            Assert.That(FlashRun.Fits(new FlashMachine(), new AttentionShape("attention", rig.Args), rig.Args), Is.False, $"{problem}");
        }
    }

    /// <summary>What <see cref="DeltaWork{T}"/> does, on the host.</summary>
    private static void Prepare(Memory memory, AttentionRig rig, AttentionCase problem, View scratch)
    {
        float[] y = memory.Read(rig.Y), dy = memory.Read(rig.DY), logSumExp = memory.Read(rig.LogSumExp);
        int length = DeltaRows.Length(problem.Time), rows = problem.Batch * problem.Heads * length;
        var values = new float[2 * rows];
        for (int row = 0; row < rows; row++)
        {
            int time = row % length, pair = row / length, batch = pair / problem.Heads, head = pair % problem.Heads;
            values[row] = 1e30f;
            if (time < problem.Time)
            {
                values[row] = logSumExp[pair * problem.Time + time] / MathF.Log(2);
                int first = ((batch * problem.Time + time) * problem.Heads + head) * problem.Depth;
                values[rows + row] = Enumerable.Range(first, problem.Depth).Sum(i => y[i] * dy[i]);
            }
        }

        memory.Write(scratch, values);
    }
}
