namespace NanoFold.Cli;

/// <summary>How this program is started again: by its own executable, or by the dotnet host, which takes the assembly first.</summary>
internal static class OwnProgram
{
    /// <summary>The executable, and the words before a verb.</summary>
    public static (string File, string[] Words) Start()
    {
        string process = Environment.ProcessPath ?? "dotnet", name = Path.GetFileNameWithoutExtension(process), assembly = Path.Combine(AppContext.BaseDirectory, $"{Program.Name}.dll");
        return name == Program.Name ? (process, []) : (name == "dotnet" ? process : "dotnet", [assembly]);
    }
}
