using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Memory;
using NanoFold.Kernels.Null;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Profiling;

public class KernelCostTests
{
    [Test]
    public void AFormulaIsCountedByRunningIt()
    {
        Assert.That(Formula.Unary<Polynomial>.Flops, Is.EqualTo(2 + 1 + 1 + 1));
        Assert.That(Formula.Unary<Exponential>.Flops, Is.EqualTo(Formula.ExpFlops + 1));
        Assert.That(Formula.ExpFlops, Is.InRange(20, 40));
        Assert.That(Formula.Unary<Polynomial>.Name, Is.EqualTo("kernel-cost-tests.polynomial"));
        Assert.That(KernelName.Of(typeof(GatedActivationOp<Silu>).GetNestedType("GateGradient", System.Reflection.BindingFlags.NonPublic)!.MakeGenericType(typeof(Silu))),
            Is.EqualTo("gated-activation<silu>.gate-gradient"));
        Assert.That(KernelName.Of(typeof(Container.Work)), Is.EqualTo("container"));
    }

    [Test]
    public void AProductCountsItsOperandsOnce()
    {
        using var buffer = new NullBuffer(1 << 20);
        View Of(params int[] shape) => new(buffer, 0, Layout.Of(shape), DType.Float32);
        var args = new MatMulArgs { A = Of(3, 7, 5), TransposeA = true, B = Of(3, 7, 11), Y = Of(3, 5, 11), Bias = Of(11), Accumulate = true };

        Assert.That(KernelCost.MatMul(args), Is.EqualTo(new KernelCost(2.0 * 3 * 5 * 11 * 7, 4 * ((3 * 7 * 5) + (3 * 7 * 11) + 11 + (2 * 3 * 5 * 11)))));
        Assert.That(KernelCost.ShapeOf(args).ToString(), Is.EqualTo("3× 5×11×7 aᵀ·b"));
    }

    /// <summary>Rows that are in no group are not multiplied; where a plan cannot know them, all count.</summary>
    [TestCase(true, 5)]
    [TestCase(false, 9)]
    public unsafe void AGroupedProductCountsTheRowsThatAreInAGroup(bool isHere, int rows)
    {
        using DeviceBuffer buffer = isHere ? new NativeBuffer(1 << 12) : new NullBuffer(1 << 12);
        View Of(params int[] shape) => new(buffer, 100, Layout.Of(shape), DType.Float32);
        var offsets = new View(buffer, 0, Layout.Of(4), DType.Int32);
        if (isHere)
        {
            new[] { 0, 2, 2, 5 }.CopyTo(new Span<int>(offsets.Ints, 4));
        }

        var forward = new GroupedMatMulArgs { A = Of(9, 7), B = Of(3, 7, 11), Y = Of(9, 11), Offsets = offsets };
        var weights = new GroupedMatMulArgs { A = Of(9, 7), B = Of(9, 11), Y = Of(3, 7, 11), Offsets = offsets, PerGroupOutput = true };
        Assert.That(KernelCost.GroupedMatMul(forward), Is.EqualTo(new KernelCost(2.0 * rows * 7 * 11, 4 * ((rows * 7) + (3 * 7 * 11) + 4 + (rows * 11)))));
        Assert.That(KernelCost.GroupedMatMul(weights), Is.EqualTo(new KernelCost(2.0 * rows * 7 * 11, 4 * ((rows * 7) + (rows * 11) + 4 + (3 * 7 * 11)))));
    }

    [Test]
    public void WhatIsBroadcastIsReadOnce()
    {
        using var buffer = new NullBuffer(1 << 20);
        var row = new View(buffer, 0, Layout.Of(1, 6).BroadcastTo(Layout.Of(50, 6)), DType.Float64);

        Assert.That(KernelCost.BytesOf(row), Is.EqualTo(6 * 8));
        Assert.That(KernelCost.BytesOf(default), Is.Zero);
    }

    private static class Container
    {
        public readonly struct Work;
    }

    private readonly struct Polynomial : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => V.Max(V.MultiplyAdd(x, x, V.Constant(2)) / -x, V.Abs(x)) * V.Constant(3);
    }

    private readonly struct Exponential : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => V.Exp(x) + x;
    }
}
