using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>What decides a baseline: the task, of text its sections <c>data</c> and <c>tokenizer</c>, of other tasks the length of a row.</summary>
public static class BaselineKey
{
    /// <summary>Sixteen hexadecimal digits: runs of the same have the same baselines.</summary>
    /// <param name="config">Of a run, before it began or as its folder has it.</param>
    public static string Of(RunConfig config)
    {
        config = FullPaths.Of(config.Resolve());
        var decisive = new RunConfig { Task = config.Task, Data = config.Data, Tokenizer = config.Tokenizer };
        string text = ConfigJson.ToText(ConfigWriter.ToTree(decisive, typeof(RunConfig))!);
        string length = config.Task.IsText ? "" : FormattableString.Invariant($"{config.Model.Context} {config.Model.Visibility}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text + length)))[..16];
    }
}
