using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Tests.Cpu.Programs;

/// <summary>Systems that hold programs, and those that refuse.</summary>
public unsafe class ExecutablePagesTests
{
    private const int NotPermitted = 13;

    private static readonly byte[] s_code = [0xc3];

    [Test]
    public void CodeIsHeldWhereTheSystemAllowsIt()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsWindows())
        {
            Assert.Ignore("programs are placed on Linux and Windows");
        }

        void* pages = ExecutablePages.Hold(s_code, out string? reason);
        Assert.That(pages is not null, reason);
        Assert.That((*(byte*)pages, reason), Is.EqualTo(((byte)0xc3, (string?)null)));
    }

    [Test]
    public void ASystemThatMapsNothingSaysWhy()
    {
        Assert.That(ExecutablePages.Hold<NoPages>(s_code, out string? reason) is null);
        Assert.That(reason, Is.EqualTo($"the system allows no executable pages ({Marshal.GetPInvokeErrorMessage(NotPermitted)})"));
    }

    [Test]
    public void PagesThatAreNotMadeExecutableAreFreed()
    {
        (WritablePages.Held, WritablePages.Mapped) = (0, 0);
        Assert.That(ExecutablePages.Hold<WritablePages>(s_code, out string? reason) is null);
        Assert.That(reason, Is.EqualTo($"the system allows no executable pages ({Marshal.GetPInvokeErrorMessage(NotPermitted)})"));
        Assert.That((WritablePages.Held, WritablePages.Mapped), Is.EqualTo((0, 1)));
    }

    [Test]
    public void ASystemWithoutTheCallsIsNoError()
    {
        Assert.That(ExecutablePages.Hold<UnknownPages>(s_code, out string? reason) is null);
        Assert.That(reason, Does.Contain("not found"));
    }

    private readonly struct NoPages : IPages
    {
        public static void* Map(nint bytes)
        {
            Marshal.SetLastPInvokeError(NotPermitted);
            return null;
        }

        public static bool MakeExecutable(void* pages, nint bytes) => throw new InvalidOperationException("there are none");

        public static void Free(void* pages, nint bytes) => throw new InvalidOperationException("there are none");
    }

    /// <summary>As of a system that lets nothing that was written be run.</summary>
    private readonly struct WritablePages : IPages
    {
        public static int Held { get; set; }

        public static int Mapped { get; set; }

        public static void* Map(nint bytes)
        {
            Held++;
            Mapped++;
            return NativeMemory.Alloc((nuint)bytes);
        }

        public static bool MakeExecutable(void* pages, nint bytes)
        {
            Marshal.SetLastPInvokeError(NotPermitted);
            return false;
        }

        public static void Free(void* pages, nint bytes)
        {
            Held--;
            NativeMemory.Free(pages);
            Marshal.SetLastPInvokeError(0);
        }
    }

    private readonly struct UnknownPages : IPages
    {
        public static void* Map(nint bytes) => throw new DllNotFoundException("libc");

        public static bool MakeExecutable(void* pages, nint bytes) => false;

        public static void Free(void* pages, nint bytes)
        {
        }
    }
}
