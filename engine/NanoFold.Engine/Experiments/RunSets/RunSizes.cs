using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Experiments;

/// <summary>The memory that processes of runs take, by plan; the same for runs that differ in rates and seeds, so each is planned once.</summary>
internal sealed class RunSizes
{
    private readonly Dictionary<string, long> _bytes = [];

    public long Of(RunEntry entry) => Of(entry.Run.Config, entry.Work.Key);

    public long Of(RunConfig config, string key)
    {
        if (!_bytes.TryGetValue(key, out long bytes))
        {
            _bytes[key] = bytes = Plan(config);
        }

        return bytes;
    }

    private static long Plan(RunConfig config)
    {
        try
        {
            using var backend = new CpuBackend(threads: 1);
            return RunMemory.Of(RunVocab.Expect(config), backend).ResidentBytes;
        }
        catch (UserException)
        {
            // The run itself is going to say what is wrong.
            return RunMemory.ProcessBytes;
        }
    }
}
