namespace NanoFold.Cli.Options;

/// <summary>What the options that name a model say.</summary>
internal static class ModelOptions
{
    /// <summary>Of <c>--adapter</c>.</summary>
    public const string AdapterHelp = "The folder of an adapter of peft that is put on the model; such a folder may also be --model itself, where it names its base";
}
