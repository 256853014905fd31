using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>
/// A program of the machine with one argument, a pointer, and a number that comes back: a leaf that calls nothing, keeps to the registers that it may change and is done within
/// microseconds, for the garbage collector waits for it.
/// </summary>
internal sealed unsafe class MachineProgram
{
    private readonly delegate* unmanaged[SuppressGCTransition]<void*, ulong> _address;

    private MachineProgram(void* address) => _address = (delegate* unmanaged[SuppressGCTransition]<void*, ulong>)address;

    /// <summary>Whether programs of this kind run here at all.</summary>
    public static bool IsX64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>The code that <paramref name="write"/> gives, which finds its argument in rcx.</summary>
    public static byte[] Code(Action<Assembler> write)
    {
        var w = new Assembler();
        if (!OperatingSystem.IsWindows())
        {
            w.Move(Register.Rcx, Register.Rdi);
        }

        write(w);
        return w.ToBytes();
    }

    /// <summary>The program, or null with the reason why it cannot be run.</summary>
    public static MachineProgram? Place(Action<Assembler> write, out string? reason)
    {
        if (!IsX64)
        {
            reason = "its programs are for x64";
            return null;
        }

        void* pages = ExecutablePages.Hold(Code(write), out reason);
        return pages is null ? null : new MachineProgram(pages);
    }

    public ulong Run(void* argument) => _address(argument);
}
