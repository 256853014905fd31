using System.Text;
using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>Compiles a program by the driver, and hears what its assembler says of it: that products were made to wait for one another (C75xx), say.</summary>
internal static unsafe partial class CudaModule
{
    // CU_JIT_…: INFO_LOG_BUFFER and its size, ERROR_LOG_BUFFER and its size, LOG_VERBOSE.
    private const int Info = 3, InfoBytes = 4, Error = 5, ErrorBytes = 6, Verbose = 12, LogBytes = 16 * 1024;

    /// <returns>The module, and the numbers of the assembler's warnings, <c>C7515</c> say, parted by blanks.</returns>
    /// <exception cref="InvalidOperationException">The driver cannot compile it.</exception>
    public static (nint Module, string Warnings) Load(string ptx, string name)
    {
        byte[] text = Encoding.ASCII.GetBytes(ptx + '\0'), info = new byte[LogBytes], error = new byte[LogBytes];
        fixed (byte* image = text, infoLog = info, errorLog = error)
        {
            int* kinds = stackalloc int[] { Info, InfoBytes, Error, ErrorBytes, Verbose };
            nint* values = stackalloc nint[] { (nint)infoLog, LogBytes, (nint)errorLog, LogBytes, 1 };
            int result = CudaDriver.ModuleLoadData(out nint module, image, 5, kinds, values);
            CudaDriver.Check(result, $"compiling {name} ({Read(error)})");
            return (module, string.Join(' ', Number().Matches(Read(info)).Select(m => m.Value).Distinct()));
        }
    }

    [GeneratedRegex(@"\bC75\d\d\b")]
    private static partial Regex Number();

    private static string Read(byte[] log) => Encoding.ASCII.GetString(log).Split('\0')[0].Trim();
}
