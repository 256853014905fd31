using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>The files of a grid's result: <c>result.json</c> and <c>table.csv</c>, a row for each run.</summary>
public static class ScalingFiles
{
    /// <summary>Runs with what the law says of them, in full digits.</summary>
    public const string Table = "table.csv";

    /// <summary>Writes them into the folder of the grid.</summary>
    /// <exception cref="UserException">One of them cannot be written.</exception>
    public static void Write(string folder, ScalingResult result)
    {
        result.Write(folder);
        OutputFile.Write(Path.Combine(folder, Table), stream => stream.Write(Encoding.UTF8.GetBytes(TableOf(result))));
    }

    /// <summary>The text of <see cref="Table"/>.</summary>
    public static string TableOf(ScalingResult result)
    {
        var text = new StringBuilder("run,size,seed,parameters,tokens,flopsPerToken,flops,loss,predicted,residual,tokensPerSecond,seconds\n");
        foreach (ScalingRun run in result.Runs)
        {
            object?[] cells = [run.Run, run.Size, run.Seed, run.Parameters, run.Tokens, run.FlopsPerToken, run.Flops, run.Loss, run.Predicted, run.Residual, run.TokensPerSecond, run.Seconds];
            text.AppendJoin(',', cells.Select(cell => Convert.ToString(cell, CultureInfo.InvariantCulture))).Append('\n');
        }

        return text.ToString();
    }
}
