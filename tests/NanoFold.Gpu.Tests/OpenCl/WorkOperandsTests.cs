using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.OpenCl;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>What an OpenCL kernel is given of a work.</summary>
public sealed class WorkOperandsTests
{
    // A kernel of the work below; a view's first element has 32 bits, and what lies before it is filled up.
    private const string Source = """
        struct type_2_kernel
        {
        	char field_0;
        	char __padding0[7];
        	int field_1;
        	long field_2;
        	double field_3;
        	short field_4;
        	char field_5;
        	char __padding1[5];
        	int field_6;
        	long field_7;
        	int field_8;
        };

        kernel void Kernel_Entry(
        	global float* view_0,
        	global int* view_1,
        	struct type_2_kernel var0)
        {
        }

        """;

    [Test]
    public void NumbersLieWhereCPutsThem()
    {
        var work = new OddWork { Small = 7, First = new ArrayView<float>(null!, 5, 6), Inner = new() { Wide = 2.5, Last = -3 }, Second = new ArrayView<int>(null!, 8, 9), Count = 11 };
        var operands = WorkOperands.Of(typeof(OddWork));
        byte[] bytes = new byte[operands.Bytes];
        nint[] buffers = [1, 1];
        operands.Write(ref Unsafe.As<OddWork, byte>(ref work), bytes, buffers);
        Assert.That((operands.Bytes, operands.Views), Is.EqualTo((64, 2)));
        Assert.That(buffers, Has.All.Matches<nint>(b => b == 0));
        Assert.That(bytes[0], Is.EqualTo(7));
        Assert.That(Longs(8), Is.EqualTo(new long[] { 5, 6 }));
        Assert.That(BitConverter.ToDouble(bytes, 24), Is.EqualTo(2.5));
        Assert.That(BitConverter.ToInt16(bytes, 32), Is.EqualTo(-3));
        Assert.That(Longs(40), Is.EqualTo(new long[] { 8, 9 }));
        Assert.That(BitConverter.ToInt32(bytes, 56), Is.EqualTo(11));

        long[] Longs(int at) => MemoryMarshal.Cast<byte, long>(bytes.AsSpan(at, 16)).ToArray();
    }

    /// <summary>A kernel that puts a number elsewhere, or takes fewer buffers, is not one of the work.</summary>
    [TestCase("", "", ExpectedResult = true)]
    [TestCase("short field_4", "int field_4", ExpectedResult = false)]
    [TestCase("char __padding1[5]", "char __padding1[13]", ExpectedResult = false)]
    [TestCase("	int field_8;\n", "", ExpectedResult = false)]
    [TestCase("	double field_3;\n", "", ExpectedResult = false)]
    [TestCase("	global int* view_1,\n", "", ExpectedResult = false)]
    public bool AKernelTakesAWork(string part, string instead)
        => OpenClSource.Takes(part.Length == 0 ? Source : Source.Replace(part, instead, StringComparison.Ordinal), WorkOperands.Of(typeof(OddWork)));

    [Test]
    public void EveryWorkHasOperands()
    {
        IReadOnlyList<Type> works = new Works(typeof(LinearOp).Assembly).All();
        Assert.That(works.Where(work => WorkOperands.Of(work).Bytes == 0), Is.Empty);
    }

    internal struct OddWork
    {
        public byte Small;
        public ArrayView<float> First;
        public Part Inner;
        public ArrayView<int> Second;
        public int Count;

        internal struct Part
        {
            public double Wide;
            public short Last;
            public Empty None;
        }

        internal struct Empty;
    }
}
