# For nanofold.cmd: builds the command line when its sources are newer than the last build.
# The same steps as in the launcher for other systems, ./nanofold; kept to what Windows PowerShell 5.1 knows.
$root = Split-Path -Parent $PSScriptRoot
$dll = Join-Path $root 'tools\NanoFold.Cli\bin\Release\net10.0\nanofold.dll'
$artifacts = Join-Path $root 'artifacts'
$stamp = Join-Path $artifacts 'build.stamp'
$gpuProps = Join-Path $artifacts 'gpu.props'
$probe = Join-Path $artifacts 'gpu-probe'
$inconclusive = Join-Path $probe 'inconclusive'
$forced = $env:NANOFOLD_GPU

function Say([string] $text) { [Console]::Error.WriteLine("nanofold: $text") }
function Fail([string] $text) { Say $text; exit 1 }

if ($forced -and $forced -cne 'true' -and $forced -cne 'false') {
    Fail "NANOFOLD_GPU is '$forced'; it must be true or false, or unset"
}

# true or false: forced, remembered, or the default.
function Get-GpuChoice {
    if ($forced) { return $forced }
    if ([IO.File]::Exists($gpuProps) -and [IO.File]::ReadAllText($gpuProps).Contains('<Gpu>true<')) { return 'true' }
    return 'false'
}

# Whether a source is newer; folders count too where asked, for the sake of what was deleted from them.
function Test-Newer([DateTime] $than, [bool] $folders) {
    foreach ($name in 'Directory.Build.props', 'Directory.Packages.props') {
        if ([IO.File]::GetLastWriteTimeUtc((Join-Path $root $name)) -gt $than) { return $true }
    }
    $left = New-Object 'System.Collections.Generic.Stack[IO.DirectoryInfo]'
    foreach ($name in 'engine', 'kernels', 'tools') { $left.Push((New-Object IO.DirectoryInfo (Join-Path $root $name))) }
    while ($left.Count -gt 0) {
        $folder = $left.Pop()
        if ($folders -and $folder.LastWriteTimeUtc -gt $than) { return $true }
        foreach ($entry in $folder.EnumerateFileSystemInfos()) {
            if ($entry -is [IO.DirectoryInfo]) {
                if ($entry.Name -ne 'bin' -and $entry.Name -ne 'obj') { $left.Push($entry) }
            }
            elseif ($entry.LastWriteTimeUtc -gt $than) { return $true }
        }
    }
    return $false
}

function Test-Fresh {
    if (-not [IO.File]::Exists($dll) -or -not [IO.File]::Exists($stamp)) { return $false }
    if ([IO.File]::ReadAllText($stamp).Trim() -ne (Get-GpuChoice)) { return $false }
    if (Test-Newer ([IO.File]::GetLastWriteTimeUtc($stamp)) $true) { return $false }
    # A probe that could not tell is tried again after an hour.
    return $forced -or -not [IO.File]::Exists($inconclusive) -or
        [IO.File]::GetLastWriteTimeUtc($inconclusive) -gt [DateTime]::UtcNow.AddHours(-1)
}

# Chooses whether the GPU backend is built, and remembers it for this SDK and this NuGet configuration.
function Invoke-GpuProbe([string] $sdk) {
    if ($forced) {
        Say "GPU packages: $forced, as NANOFOLD_GPU says"
        return
    }
    $pinned = Select-String -Path 'Directory.Packages.props' -Pattern 'ILGPU' | ForEach-Object { $_.Line }
    $text = (@($sdk) + (& dotnet nuget list source) + $pinned) -join "`n"
    $hash = [Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes($text))
    $key = [BitConverter]::ToString($hash, 0, 8)
    if ([IO.File]::Exists($gpuProps) -and [IO.File]::ReadAllText($gpuProps).Contains("<!-- $key -->")) { return }

    [void] [IO.Directory]::CreateDirectory($probe)
    [IO.File]::Delete($inconclusive)
    [IO.File]::Delete($gpuProps)
    $project = Join-Path $probe 'GpuProbe.csproj'
    [IO.File]::WriteAllText($project, @'
<Project Sdk="Microsoft.NET.Sdk">
  <ItemGroup>
    <PackageReference Include="ILGPU" />
    <PackageReference Include="ILGPU.Algorithms" />
  </ItemGroup>
</Project>
'@)
    $env:NUGET_ENHANCED_MAX_NETWORK_TRY_COUNT = '1'
    $log = (& dotnet restore $project --nologo -v q) -join "`n"
    $restored = $LASTEXITCODE -eq 0
    $env:NUGET_ENHANCED_MAX_NETWORK_TRY_COUNT = $null
    [IO.File]::WriteAllText((Join-Path $probe 'restore.log'), $log)
    if (-not $restored -and (-not $log.Contains('NU1101') -or $log.Contains('NU1301'))) {
        [IO.File]::WriteAllText($inconclusive, '')
        Say "GPU packages: left out for now, the probe for its packages failed (see $probe\restore.log)"
        return
    }

    $choice = if ($restored) { 'true' } else { 'false' }
    [IO.File]::WriteAllText($gpuProps,
        "<Project>`n  <!-- $key -->`n  <PropertyGroup>`n    <Gpu>$choice</Gpu>`n  </PropertyGroup>`n</Project>`n")
    if ($restored) { Say 'GPU packages: found' }
    else { Say 'GPU packages: left out, for no package source has ILGPU (NU1101); looked for again when the SDK or the NuGet configuration changes' }
}

function Invoke-Build {
    $sdk = (& dotnet --version 2>$null) -join ''
    if ($sdk -notmatch '^\d\d+\.') {
        Fail "the .NET SDK 10 is needed and 'dotnet --version' says $sdk; install it from https://dotnet.microsoft.com/download"
    }
    [Console]::Error.WriteLine('building nanofold (once) ...')
    Invoke-GpuProbe $sdk
    $started = [DateTime]::UtcNow
    $log = @(& dotnet build tools/NanoFold.Cli/NanoFold.Cli.csproj -c Release -v q --nologo -nodeReuse:false '-consoleLoggerParameters:ErrorsOnly;NoSummary')
    if ($LASTEXITCODE -ne 0) {
        $lines = @($log | Where-Object { $_ -match ' error ' } | Sort-Object -Unique)
        if ($lines.Count -eq 0) { $lines = $log }
        foreach ($line in $lines) { [Console]::Error.WriteLine($line) }
        Fail 'the build failed'
    }
    # Folders changed while building are bin and obj appearing; a file changed meanwhile is for the next start.
    $changed = Test-Newer $started $false
    [IO.File]::WriteAllText($stamp, (Get-GpuChoice))
    if ($changed) { [IO.File]::SetLastWriteTimeUtc($stamp, $started) }
}

if (Test-Fresh) { exit 0 }

try { [void] [IO.Directory]::CreateDirectory($artifacts) }
catch { Fail "cannot write to $root" }
$lock = $null
while ($null -eq $lock) {
    try { $lock = [IO.File]::Open((Join-Path $artifacts 'build.lock'), 'OpenOrCreate', 'ReadWrite', 'None') }
    catch [IO.IOException] { Start-Sleep -Milliseconds 300 }
    catch { Fail "cannot write to $artifacts" }
}
try {
    Set-Location -LiteralPath $root
    if (-not (Test-Fresh)) { Invoke-Build }
}
finally { $lock.Dispose() }
exit 0
